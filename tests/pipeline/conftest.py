"""A real pipeline with real processes, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.catalog import Catalog
from inference.messages import Failed, FrameResult, Result, RunDone, RunEvent, RunFailed, RunStarted
from inference.pipeline import Pipeline
from inference.requests import VideoRequest
from inference.run import Run
from inference.settings import Settings
from tests.kit import barcode
from tests.kit.char_models import TEXT_KIND
from tests.kit.predictors import KINDS as VIDEO_KINDS

KINDS = (*VIDEO_KINDS, TEXT_KIND)

PATIENCE = 60.0


class Bench:
    """A pipeline, its folders, and the moves that tests make with them."""

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        self.pipeline = pipeline
        self.folder = folder
        self.catalog = Catalog(folder, folder, KINDS)

    def model(self, name: str, text: str = "") -> str:
        """Write a model of the kit; the suffix of its name says how it behaves."""
        (self.folder / name).write_text(text)
        return name

    def video(self, name: str, count: int, **look: int) -> str:
        """Write a video of numbered frames, unless it is there."""
        if not (self.folder / name).exists():
            barcode.write(self.folder / name, count, **look)
        return name

    def run(self, video: str, model: str = "m.number", **wanted: Any) -> Run:
        """Begin a run."""
        return self.pipeline.run(VideoRequest(self.catalog.video(video), self.catalog.model(model), **wanted))

    def watch(self, run: Run, on_frame: Callable[[Result | Failed], None] = lambda _: None) -> list[RunEvent]:
        """Take a run's events to its end, as a viewer that keeps up, and close it."""
        events: list[RunEvent] = []
        with run:
            while not events or not isinstance(events[-1], RunDone | RunFailed):
                event = run.next(PATIENCE)
                assert event is not None, f"nothing came for {PATIENCE} s after {events[-3:]}"
                events.append(event)
                run.delivered(event)
                if isinstance(event, Result | Failed):
                    on_frame(event)
        return events


def start(folder: Path, **settings: Any) -> Pipeline:
    """A pipeline over a folder that serves as data and models both."""
    (folder / "m.number").write_text("")
    wanted: dict[str, Any] = {"data": folder, "models": folder, "kinds": KINDS, "n_servers": 2, **settings}
    return Pipeline(Settings(**wanted))


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The pipeline that most tests share: two workers."""
    folder = tmp_path_factory.mktemp("bench")
    with start(folder) as pipeline:
        pipeline.start([Catalog(folder, folder, KINDS).model("m.number")])
        yield Bench(pipeline, folder)


@pytest.fixture
def loading_until_told(bench: Bench, tmp_path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """A model of the bench that does not get done with loading, and what has it get done."""
    told = tmp_path / "told"
    yield bench.model(f"{tmp_path.name}.slow", f"until={told}"), told.touch
    told.touch()


def frames_of(events: list[RunEvent]) -> list[Result | Failed]:
    """The frames among a run's events."""
    return [event for event in events if isinstance(event, Result | Failed)]


def check_every_frame_once(
    events: list[RunEvent], start: int, stop: int, failed: tuple[int, ...] = ()
) -> None:
    """A run came as promised: one start, each frame once, in order, with its own pixels, one end."""
    assert sum(isinstance(event, RunStarted) for event in events) == 1
    frames = frames_of(events)
    assert [event.index for event in frames] == list(range(start, stop))
    assert tuple(event.index for event in frames if isinstance(event, Failed)) == failed
    seen = [event for event in frames if isinstance(event, FrameResult)]
    assert [event.prediction.points[0, 0] for event in seen] == [event.index for event in seen]
    assert events[-1] == RunDone(len(seen))
