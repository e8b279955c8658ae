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
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from inference.catalog import ModelFile, video_key
from inference.messages import (
    Failed,
    Opened,
    PoseOptions,
    Result,
    RunDone,
    RunEvent,
    RunFailed,
    RunStatus,
)
from inference.ordering import Ordering
from inference.settings import Source

if TYPE_CHECKING:
    from inference.pipeline import Pipeline
    from inference.pool import Model

LEAST_FRESH = 0.01
"""Seconds that a live frame may wait for its viewer, however fast it came: a thread has to wake up."""


@dataclass(frozen=True)
class RunRequest:
    """What a viewer asks for: frames `start` to, not including, `stop` of a video, for one model or two.

    A live source's frames are numbered from `start` in the order in which they are predicted.
    """

    video: Path | Source
    model: ModelFile
    start: int = 0
    stop: int | None = None
    image_width: int | None = None
    options: PoseOptions = field(default_factory=PoseOptions)
    compare: ModelFile | None = None

    @property
    def live(self) -> bool:
        """Whether the video is a live source."""
        return isinstance(self.video, Source)


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
            if isinstance(event, Result):
                self._make_room(Result, 1)
                now = self._clock()
                self._stale_at = now + max(LEAST_FRESH, (now - event.decoded_at) / 4)
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
                self._make_room(Result, 1)
            if not self._changed.wait_for(lambda: self._waiting, timeout):
                raise queue.Empty
            return self._waiting.popleft()


class Run:
    """One viewer's stream: take events with `next`, give each back with `delivered`, then close."""

    def __init__(self, request: RunRequest, pipeline: Pipeline) -> None:
        self.id = uuid.uuid4().hex
        self.request = request
        self._video_key = "" if isinstance(request.video, Source) else video_key(request.video)
        self.models: list[Model] = []
        self.video: Opened | None = None
        self.begun = False
        self.over = False
        # A live frame that is overdue is not worth waiting for: it has been passed by one of each worker.
        patience = pipeline.settings.n_servers - 1 if request.live else None
        self.ordering: Ordering[Result | Failed] = Ordering(request.start, patience)
        self.frames = 0
        self.untaken = 0
        """Frames that wait for the viewer, or are with it and not given back yet."""
        self.sequence = 0
        """How many frames a live source has given so far, those that were dropped too."""
        self.first_batch = 0
        """Answers to earlier batches of a live source are of a dead producer, and old."""
        self.error: str | None = None
        self._pipeline = pipeline
        self._events: Events = NewestEvents() if request.live else queue.SimpleQueue()

    @property
    def replaced(self) -> bool:
        """Whether the video is another one by now than at the run's beginning."""
        video = self.request.video
        return not isinstance(video, Source) and video_key(video) != self._video_key

    def next(self, timeout: float) -> RunEvent | None:
        """The run's next event, or None if there is none within `timeout` s."""
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    def delivered(self, *events: RunEvent) -> None:
        """Say that the viewer has these events: a frame frees its slot in the window, where there is one."""
        frames = sum(isinstance(event, Result | Failed) for event in events)
        if frames and not self.request.live:
            self._pipeline.credit(self, frames)

    def close(self) -> None:
        """End the run, whatever it is doing; its frames are forgotten."""
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
