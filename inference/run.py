"""One run: what was asked for, and what its viewer takes of it, event by event.

The pipeline fills a run, a viewer empties it; `watching.Watch` adds what a viewer sees beyond that.
"""

from __future__ import annotations

import queue
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from inference.catalog import ModelFile
from inference.messages import Failed, Opened, PoseOptions, Result, RunEvent
from inference.ordering import Ordering

if TYPE_CHECKING:
    from inference.pipeline import Pipeline
    from inference.pool import Model


@dataclass(frozen=True)
class RunRequest:
    """What a viewer asks for: frames `start` to, not including, `stop` of a video, for one model or two."""

    video: Path
    model: ModelFile
    start: int = 0
    stop: int | None = None
    image_width: int | None = None
    options: PoseOptions = field(default_factory=PoseOptions)
    compare: ModelFile | None = None


class Run:
    """One viewer's stream: take events with `next`, give each back with `delivered`, then close."""

    def __init__(self, request: RunRequest, pipeline: Pipeline) -> None:
        self.id = uuid.uuid4().hex
        self.request = request
        self.models: list[Model] = []
        self.video: Opened | None = None
        self.begun = False
        self.over = False
        self.ordering: Ordering[Result | Failed] = Ordering(request.start)
        self.frames = 0
        self.error: str | None = None
        self._pipeline = pipeline
        self._events: queue.SimpleQueue[RunEvent] = queue.SimpleQueue()

    def next(self, timeout: float) -> RunEvent | None:
        """The run's next event, or None if there is none within `timeout` s."""
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    def delivered(self, event: RunEvent) -> None:
        """Say that the viewer has this event: a frame frees its slot in the window."""
        if isinstance(event, Result | Failed):
            self._pipeline.credit(self)

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
