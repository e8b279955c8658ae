"""One run: what was asked for, and what its viewer takes of it, event by event.

The pipeline fills a run, a viewer empties it; `watching.Watch` adds what a viewer sees beyond that. A run of
a file keeps every event for its viewer. A run of a live source keeps one frame, the newest.
"""

from __future__ import annotations

import math
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from inference.messages import (
    Failed,
    FrameResult,
    Result,
    RunDone,
    RunEvent,
    RunFailed,
    RunStatus,
)
from inference.ordering import Ordering
from inference.requests import Progress, Request

if TYPE_CHECKING:
    from inference.pipeline import Pipeline
    from inference.pool import Model

LEAST_FRESH = 0.01
"""Seconds that a live frame may wait for its viewer, however fast it came: a thread has to wake up."""


class Events(Protocol):
    """What waits for a viewer."""

    def put(self, event: RunEvent) -> None:
        """Add an event."""

    def get(self, *, timeout: float) -> RunEvent:
        """Take the next event; queue.Empty if there is none within `timeout` s."""


class NewestEvents:
    """What waits for the viewer of a live source: a frame only as long as it is new.

    It gives way to a newer one; and once it has waited for a quarter of the time that it took to get here,
    a viewer who comes then gets the next one instead, which is soon there. Other events stay, but of those
    that say how things are no more than the newest `MOST`.
    """

    MOST = 64

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: deque[RunEvent] = deque()
        self._stale_at = math.inf
        self._changed = threading.Condition()

    def put(self, event: RunEvent) -> None:
        """Add an event."""
        with self._changed:
            if isinstance(event, FrameResult):
                self._make_room(FrameResult, 1)
                now = self._clock()
                self._stale_at = now + max(LEAST_FRESH, (now - event.since) / 4)
            elif isinstance(event, Failed | RunStatus):
                self._make_room((Failed, RunStatus), self.MOST)
            self._waiting.append(event)
            self._changed.notify()

    @property
    def _ending(self) -> bool:
        """Whether nothing newer can come."""
        return any(isinstance(event, RunDone | RunFailed) for event in self._waiting)

    def _make_room(self, kind: type | tuple[type, ...], most: int) -> None:
        """Drop the oldest event of a kind if as many as may wait are there."""
        held = [event for event in self._waiting if isinstance(event, kind)]
        if len(held) >= most:
            self._waiting = deque(event for event in self._waiting if event is not held[0])

    def get(self, *, timeout: float) -> RunEvent:
        """Take the next event; queue.Empty if there is none within `timeout` s."""
        with self._changed:
            if self._clock() >= self._stale_at and not self._ending:
                self._make_room(FrameResult, 1)
            if not self._changed.wait_for(lambda: self._waiting, timeout):
                raise queue.Empty
            return self._waiting.popleft()


class Run:
    """One viewer's stream: take events with `next`, give each back with `delivered`, then close."""

    def __init__(self, request: Request, pipeline: Pipeline) -> None:
        self.id = uuid.uuid4().hex
        self.request = request
        self._version = request.version()
        self.models: list[Model] = []
        self.opened: Any = None
        """What the producer has said of it, once it is open."""
        self.begun = False
        self.over = False
        # A live frame that is overdue is not worth waiting for: it has been passed by one of each worker.
        patience = pipeline.settings.n_servers - 1 if request.live else None
        self.ordering: Ordering[Result | Failed] = Ordering(request.start, patience, request.end)
        self.items = 0
        """How many have succeeded."""
        self.progress = Progress(request.start)
        self.first_batch = 0
        """Answers to earlier batches of a live source are of a dead producer, and old."""
        self.error: str | None = None
        self._pipeline = pipeline
        self._events: Events = NewestEvents() if request.live else queue.SimpleQueue()

    @property
    def replaced(self) -> bool:
        """Whether what it is made from is another by now than at the run's beginning."""
        return self.request.version() != self._version

    def next(self, timeout: float) -> RunEvent | None:
        """The run's next event, or None if there is none within `timeout` s."""
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    def delivered(self, *events: RunEvent) -> None:
        """Say that the viewer has these events: an item frees its slot in the window, where there is one."""
        items = sum(isinstance(event, Result | Failed) for event in events)
        if items and not self.request.live:
            self._pipeline.credit(self, items)

    def close(self) -> None:
        """End the run, whatever it is doing; its items are forgotten."""
        self._pipeline.close_run(self)

    def put(self, event: RunEvent) -> None:
        """Add an event for the viewer (for the pipeline alone)."""
        self._events.put(event)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
