"""A stream of server-sent events of whatever kind: its place among all, its rhythm, its viewer's leaving."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Protocol

from flask import Response, request

from inference.errors import TooManyStreams
from inference.messages import RunDone, RunFailed
from inference.sse import HEARTBEAT

log = logging.getLogger(__name__)

ROOM = b":\n"
"""A comment that the server takes once there is room for it: what is taken for the viewer then is new."""
TOGETHER = 8
"""Events that are there already are written at once, up to so many: each write wakes the server."""
LOOK = 0.2
"""A silent stream looks this often (s) whether its viewer is still there."""


class Source(AbstractContextManager[Any], Protocol):
    """A viewer's run: entering begins it, leaving ends it."""

    def next(self, timeout: float) -> Any | None:
        """The next event, or None if there is none within `timeout` s."""

    def delivered(self, *events: Any) -> None:
        """Say that the viewer has these events."""


Encode = Callable[[Any], bytes]
"""An event's bytes."""


class Streams:
    """All streams of this program: how many more may be open."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._lock = threading.Lock()

    def _take_place(self) -> None:
        with self._lock:
            if self._taken >= self._most:
                raise TooManyStreams(
                    f"{self._most} streams are open, and more are not served at once (--max-streams). "
                    "Try again later."
                )
            self._taken += 1

    def _give_back(self) -> None:
        with self._lock:
            self._taken -= 1

    def respond(
        self,
        open_source: Callable[[], Source],
        encode: Encode,
        heartbeat: float,
        is_fresh: Callable[[Any], bool] = lambda _: False,
    ) -> Response:
        """The answer that streams what `open_source` gives; TooManyStreams.

        An event that `is_fresh` is written alone, and the next one taken only once there is room for it.
        """
        gone: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: False)
        self._take_place()
        with ExitStack() as undo:
            undo.callback(self._give_back)
            stream = _guarded(_events_of(open_source(), encode, heartbeat, gone, is_fresh), encode)
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            response = Response(stream, mimetype="text/event-stream", headers=headers)
            # Also called where the stream never began, since its viewer had left before.
            response.call_on_close(undo.pop_all().close)
        return response


def _guarded(events: Iterator[bytes], encode: Encode) -> Iterator[bytes]:
    """A stream that ends with a sentence whatever goes wrong in it."""
    try:
        yield from events
    except Exception:
        log.exception("a stream failed")
        yield encode(RunFailed("Something went wrong in the server; its log says what."))


def _events_of(
    source: Source,
    encode: Encode,
    heartbeat: float,
    gone: Callable[[], bool],
    is_fresh: Callable[[Any], bool],
) -> Iterator[bytes]:
    """The server-sent events of one run; ends, and ends the run, once the viewer is `gone`."""
    with source:
        spoke = time.monotonic()
        while not gone():
            quiet = time.monotonic() - spoke
            event = source.next(timeout=min(LOOK, max(0.0, heartbeat - quiet)))
            if event is not None:
                events = [event] if is_fresh(event) else [event, *_more(source, event)]
                yield b"".join(map(encode, events))
                source.delivered(*events)
                event = events[-1]
                if is_fresh(event):
                    yield ROOM
            elif time.monotonic() - spoke >= heartbeat:
                yield HEARTBEAT
            else:
                continue
            spoke = time.monotonic()
            if _is_last(event):
                return


def _more(source: Source, event: Any) -> Iterator[Any]:
    """Events that are there already behind one."""
    for _ in range(TOGETHER - 1):
        if _is_last(event) or (following := source.next(timeout=0)) is None:
            return
        yield (event := following)


def _is_last(event: Any) -> bool:
    return isinstance(event, RunDone | RunFailed)
