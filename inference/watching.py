"""What a viewer sees of a run beyond the pipeline's results: identities, and a record of everything.

Frames come here in order and one at a time, in the viewer's own thread; that is why following and recording
stand here.
"""

from __future__ import annotations

import dataclasses
import logging
import platform
import time
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Protocol

from inference import __version__
from inference.catalog import video_key
from inference.errors import JournalError
from inference.identities import Follower, wanted
from inference.journal import Journal
from inference.messages import (
    EndRecord,
    Failed,
    FailureRecord,
    FrameRecord,
    FrameResult,
    LiveFrame,
    ModelInfo,
    Opened,
    RunDone,
    RunFacts,
    RunFailed,
    RunStarted,
    RunStatus,
    Tracked,
    TrackingOptions,
    ViewerEvent,
)
from inference.pipeline import Pipeline
from inference.recordings import recorded_options
from inference.requests import VideoRequest
from inference.run import Run

log = logging.getLogger(__name__)

_NAMED = ("tensorflow", "keras", "tf-keras", "numpy", "scipy", "opencv-python-headless")


class Keeper(Protocol):
    """Where journals are kept: a folder of them, or one beside a result."""

    def check(self, facts: RunFacts) -> None:
        """Raise a JournalError if a run of that name was recorded of something else."""

    def open(self, facts: RunFacts) -> Journal:
        """The run's journal, begun or continued; JournalError, OSError."""

    def close(self, held: Journal) -> None:
        """One stream less writes it."""

    def has_room(self, held: Journal) -> bool:
        """Whether it may grow on."""


class Watch:
    """One viewer's run: in a `with`, take events with `next`, give frames back with `delivered`."""

    def __init__(
        self,
        pipeline: Pipeline,
        request: VideoRequest,
        *,
        recordings: Keeper | None,
        run_id: str | None = None,
        tracking: TrackingOptions | None = None,
        track: bool | None = None,
    ) -> None:
        """Say what is wanted; entering the `with` begins it. `track` None: follow where several may be.

        A live source is not recorded. JournalError if a run of that id was recorded of something else.
        """
        if request.live:
            recordings = run_id = None
        self._pipeline = pipeline
        self._request = request
        self._recordings = recordings
        self._tracking, self._track = tracking or TrackingOptions(), track
        self._run_id = run_id
        self._created = time.time()
        self._video_key = video_key(request.video) if isinstance(request.video, Path) else ""
        self._journal: Journal | None = None
        self._given_up = False
        self._next = request.start
        self._shown = self._failed = 0
        self._waiting: list[ViewerEvent] = []
        if recordings is not None and run_id is not None:
            recordings.check(self._facts(run_id, Opened("", 0, 0, None, None), ModelInfo(()), None))

    def next(self, timeout: float) -> ViewerEvent | None:
        """The next event, or None if there is none within `timeout` s."""
        if self._waiting:
            return self._waiting.pop(0)
        event = self._run.next(timeout)
        match event:
            case RunStarted():
                return self._started(event)
            case FrameResult():
                return self._seen(event)
            case Failed():
                self._failed += 1
                self._follower.missed()
                self._record(FailureRecord(event.index, event.message))
                self._next = event.index + 1
            case RunDone() if self._request.live:
                return RunDone(self._shown)
            case RunDone() if self._request.stop is None:
                self._record(EndRecord(self._next))
            case RunFailed(message):
                self._record(EndRecord(self._next, message))
            case None | RunStatus() | RunDone():
                pass
            case _:
                raise TypeError(f"{type(event).__name__} is no event of a video's run")
        return event

    @property
    def recorded(self) -> int:
        """How many frames of the run are written down so far, those of earlier streams counted in."""
        if self._journal is None:
            return 0
        return len(self._journal.frames) + len(self._journal.failures)

    def delivered(self, *events: ViewerEvent) -> None:
        """Say that the viewer has these events: frees the frames' slots in the window."""
        self._run.delivered(*(event.result if isinstance(event, Tracked) else event for event in events))

    def __enter__(self) -> Watch:
        self._run: Run = self._pipeline.run(self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.close()
        if self._journal is not None and self._recordings is not None:
            self._recordings.close(self._journal)
            self._journal = None

    def _started(self, event: RunStarted) -> ViewerEvent:
        run_id = self._run_id or event.run
        tracking = wanted(event.model, self._request.options, self._tracking, self._track)
        self._tracked = tracking is not None
        self._follower = Follower(event.model, tracking, event.video.width)
        compare = event.compare
        self._second: Follower | None = None
        self._info, self._compare = event.model, compare
        if compare is not None:
            of_second = wanted(compare, self._request.options, self._tracking, self._track)
            self._second = Follower(compare, of_second, event.video.width)
        try:
            self._open_journal(self._facts(run_id, event.video, event.model, tracking))
        except JournalError as error:
            return RunFailed(str(error))
        return dataclasses.replace(event, run=run_id, tracking=tracking, recorded=self._journal is not None)

    def _open_journal(self, facts: RunFacts) -> None:
        if self._recordings is None:
            return
        try:
            self._journal = self._recordings.open(facts)
        except OSError as error:
            self._give_up_recording(error)
            return
        self._follower.continue_from(self._journal, self._request.start)

    def _facts(
        self, run_id: str, video: Opened, info: ModelInfo, tracking: TrackingOptions | None
    ) -> RunFacts:
        request, precision = self._request, self._pipeline.settings.precision
        return RunFacts(
            run_id,
            self._created,
            str(request.video),
            self._video_key,
            video.width,
            video.height,
            video.fps,
            video.n_frames,
            tuple(map(str, request.model.paths)),
            request.model.key if precision == "exact" else f"{request.model.key}#{precision}",
            info,
            recorded_options(request.options),
            tracking,
            versions(),
        )

    def _seen(self, result: FrameResult) -> Tracked:
        began = time.perf_counter()
        tracks = self._follower.follow(result, result.prediction.instances)
        if self._tracked:
            result.timing["tracking"] = round((time.perf_counter() - began) * 1000, 3)
        numbers = tuple(-1 if track is None else track for track in tracks)
        self._record(FrameRecord(result.index, result.prediction.instances, numbers))
        self._next = result.index + 1
        second: tuple[int | None, ...] = ()
        if self._second is not None and result.compare is not None:
            second = self._second.follow(result, result.compare.instances)
        return Tracked(result, self._info, tracks, self._compare, second, self._live(result))

    def _live(self, result: FrameResult) -> LiveFrame | None:
        if result.sequence is None:
            return None
        delay = time.monotonic() - result.since
        dropped = max(0, result.sequence - self._shown - self._failed)
        self._shown += 1
        return LiveFrame(round(time.time() - delay, 3), round(delay * 1000, 3), dropped)

    def _record(self, record: FrameRecord | FailureRecord | EndRecord) -> None:
        if self._journal is None or self._given_up or self._recordings is None:
            return
        try:
            if not self._recordings.has_room(self._journal):
                raise OSError("the recordings have reached their size limit")
            self._journal.add(record)
        except OSError as error:
            self._give_up_recording(error)

    def _give_up_recording(self, error: OSError) -> None:
        # for good, since its viewer is told from where on; another stream of the run tries for itself
        self._given_up = True
        log.error("a run is not recorded any further: %s", error)
        why = error.strerror or str(error)
        self._waiting.append(
            RunStatus("not_recorded", f"From frame {self._next} on, this run is not recorded: {why}.")
        )


def versions() -> dict[str, str]:
    """Of this program and of what its figures depend on."""
    held = {"interactive-model-inference": __version__, "python": platform.python_version()}
    return held | {name: metadata.version(name) for name in _NAMED}
