"""How the program's processes log: to stderr, and in the same words."""

from __future__ import annotations

import logging


def configure_log(level: str) -> None:
    """Log to stderr, one line an event, with the process it comes from."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(processName)s %(levelname)s %(name)s: %(message)s"
    )
