"""How the program's processes log: to stderr, and in the same words."""

from __future__ import annotations

import logging


def configure_log(level: str) -> None:
    """Log to stderr, one line an event, with the process it comes from."""
    # It warns of what is meant to be here: streams that end with the program, requests that wait a moment.
    logging.getLogger("waitress").setLevel(max(logging.ERROR, logging.getLevelName(level.upper())))
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(processName)s %(levelname)s %(name)s: %(message)s"
    )
