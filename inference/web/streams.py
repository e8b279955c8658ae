"""The stream of predictions, as server-sent events."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from flask import Flask, Response, request

from inference.catalog import Catalog
from inference.errors import TooManyStreams
from inference.messages import RunDone, RunFailed, Tracked, ViewerEvent
from inference.pipeline import Pipeline
from inference.query import StreamQuery, parse_query
from inference.recordings import Recordings
from inference.run import RunRequest
from inference.sse import HEARTBEAT, event_of
from inference.watching import Watch

log = logging.getLogger(__name__)

ROOM = b":\n"
"""A comment that the server takes once there is room for it: what is taken for the viewer then is new."""
TOGETHER = 8
"""Events that are there already are written at once, up to so many: each write wakes the server."""
LOOK = 0.2
"""A silent stream looks this often (s) whether its viewer is still there."""


class _Places:
    """How many more streams may be open: taken when one is accepted, given back when its answer is closed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._lock = threading.Lock()

    def take(self) -> None:
        """Take one; TooManyStreams if none is left."""
        with self._lock:
            if self._taken >= self._most:
                raise TooManyStreams(
                    f"{self._most} streams are open, and more are not served at once (--max-streams). "
                    "Try again later."
                )
            self._taken += 1

    def give_back(self) -> None:
        """Give one back."""
        with self._lock:
            self._taken -= 1


def add_stream(
    app: Flask, catalog: Catalog, pipeline: Pipeline, recordings: Recordings, most_streams: int
) -> None:
    """`GET /generate_predictions`."""
    places = _Places(most_streams)

    @app.get("/generate_predictions")
    def generate_predictions() -> Response:
        query = parse_query(request.args.to_dict(flat=False), request.headers.get("Last-Event-ID"))
        gone: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: False)
        places.take()
        with ExitStack() as undo:
            undo.callback(places.give_back)
            watch = Watch(
                pipeline,
                _request(catalog, query),
                recordings=recordings,
                run_id=query.run_id,
                tracking=query.tracking,
                track=query.track,
            )
            stream = stream_events(watch, query.heartbeat, gone)
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            response = Response(stream, mimetype="text/event-stream", headers=headers)
            # Also called where the stream never began, since its viewer had left before.
            response.call_on_close(undo.pop_all().close)
        return response


def _request(catalog: Catalog, query: StreamQuery) -> RunRequest:
    return RunRequest(
        catalog.video(query.video_name),
        catalog.model(*query.model_names),
        query.start,
        query.stop,
        query.width,
        query.options,
        catalog.model(*query.compare_names) if query.compare_names else None,
    )


def stream_events(watch: Watch, heartbeat: float, gone: Callable[[], bool]) -> Iterator[bytes]:
    """The server-sent events of one run; ends, and ends the run, once the viewer is `gone`."""
    try:
        yield from _events_of(watch, heartbeat, gone)
    except Exception:
        log.exception("a stream failed")
        yield event_of(RunFailed("Something went wrong in the server; its log says what."))


def _events_of(watch: Watch, heartbeat: float, gone: Callable[[], bool]) -> Iterator[bytes]:
    with watch:
        spoke = time.monotonic()
        while not gone():
            quiet = time.monotonic() - spoke
            event = watch.next(timeout=min(LOOK, max(0.0, heartbeat - quiet)))
            if event is not None:
                events = [event, *_more(watch, event)]
                yield b"".join(map(event_of, events))
                watch.delivered(*events)
                event = events[-1]
                if isinstance(event, Tracked) and event.live is not None:
                    yield ROOM
            elif time.monotonic() - spoke >= heartbeat:
                yield HEARTBEAT
            else:
                continue
            spoke = time.monotonic()
            if isinstance(event, RunDone | RunFailed):
                return


def _more(watch: Watch, event: ViewerEvent) -> Iterator[ViewerEvent]:
    """Frames that are there already behind one. Of a live source none: each is to be new when written."""
    for _ in range(TOGETHER - 1):
        if not isinstance(event, Tracked) or event.live is not None:
            return
        following = watch.next(timeout=0)
        if following is None:
            return
        yield (event := following)
