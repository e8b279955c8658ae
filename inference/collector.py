"""The result collector: takes what the workers send and hands it on, a batch at a time.

It runs as a thread of the web process, where its results are delivered. What is no result is dropped
and counted; whatever the handler makes of one, the loop goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

from inference.errors import WireError
from inference.messages import Answer

log = logging.getLogger(__name__)


class Inlet(Protocol):
    """Where results come from."""

    def receive(self, timeout: float) -> Any | None:
        """The next batch's results, or None if none come within `timeout` s."""


def collect(
    inlet: Inlet,
    handle: Callable[[Answer], None],
    dropped: Callable[[], None],
    stop: threading.Event,
) -> None:
    """Hand every batch's results on until `stop` is set (noticed within 0.2 s)."""
    while not stop.is_set():
        try:
            message = inlet.receive(timeout=0.2)
        except WireError as error:
            log.warning("dropped a message that is no result: %s", error)
            dropped()
            continue
        except Exception:
            log.exception("a result could not be received")
            dropped()
            continue
        if isinstance(message, Answer):
            try:
                handle(message)
            except Exception:
                log.exception("the answer to batch %d could not be handled", message.batch)
        elif message is not None:
            dropped()
