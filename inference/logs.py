"""How the program's processes log: to stderr, and in the same words."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


def configure_log(level: str) -> None:
    """Log to stderr, one line an event, with the process it comes from."""
    # It warns of what is meant to be here: streams that end with the program, requests that wait a moment.
    logging.getLogger("waitress").setLevel(max(logging.ERROR, logging.getLevelName(level.upper())))
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(processName)s %(levelname)s %(name)s: %(message)s"
    )


@contextmanager
def stderr_to_log() -> Iterator[None]:
    """Keep what a library's compiled code writes to stderr at import for those who log at debug level."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            log.debug("said at import: %s", said.read().decode(errors="replace"))
