"""What streams of a run write down, and whether that is what they say: a full disk, ends that are none."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from typing import Any

import pytest

from inference.journal import read
from inference.messages import RunDone, RunFailed, RunStarted, RunStatus, Tracked, ViewerEvent
from inference.recordings import Recordings
from inference.requests import VideoRequest
from inference.watching import Watch
from tests.pipeline.conftest import PATIENCE, Bench

FRAMES = 100
RUN = "run-12345678"


@pytest.fixture
def folder(tmp_path) -> Recordings:
    return Recordings(tmp_path / "runs", 1 << 30)


def watch(bench: Bench, folder: Recordings, **wanted: Any) -> Watch:
    video = bench.catalog.video(bench.video("recorded.avi", FRAMES))
    request = VideoRequest(video, bench.catalog.model("m.number"), **wanted)
    return Watch(bench.pipeline, request, recordings=folder, run_id=RUN)


def take(stream: Watch, frames: int | None = None) -> list[ViewerEvent]:
    """What comes up to so many frames, or to the end."""
    events: list[ViewerEvent] = []
    while not events or not isinstance(events[-1], RunDone | RunFailed):
        if sum(isinstance(event, Tracked) for event in events) == frames:
            break
        event = stream.next(PATIENCE)
        assert event is not None
        events.append(event)
        stream.delivered(event)
    return events


def seen(events: list[ViewerEvent]) -> list[int]:
    return [event.result.index for event in events if isinstance(event, Tracked)]


def told(events: list[ViewerEvent]) -> list[str]:
    said = [event for event in events if isinstance(event, RunStatus)]
    return [status.message for status in said if status.state == "not_recorded"]


def is_recorded(events: list[ViewerEvent]) -> bool:
    (started,) = (event for event in events if isinstance(event, RunStarted))
    return started.recorded


@contextlib.contextmanager
def full_disk(folder: Recordings) -> Iterator[None]:
    """No file of this process grows beyond what the run's has by now, and the half of a record."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (folder.path(RUN).stat().st_size + 100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_once_there_is_room_again_a_second_stream_is_recorded_as_it_says(bench, folder):
    with watch(bench, folder) as first:
        take(first, 20)
        with full_disk(folder):
            (message,) = told(take(first, 5))
            assert message.startswith("From frame 20 on, this run is not recorded: ")
        with watch(bench, folder, start=50) as second:
            events = take(second)
        assert is_recorded(events) and told(events) == []
        assert sorted(read(folder.path(RUN)).frames) == [*range(20), *range(50, FRAMES)]
        # the first was told from where on, and that stays true of it
        assert told(take(first)) == []
    held = read(folder.path(RUN))
    assert sorted(held.frames) == [*range(20), *range(50, FRAMES)] and held.end == FRAMES
    with watch(bench, folder, start=20) as third:
        assert told(take(third)) == []
    held = read(folder.path(RUN))
    assert [held.frames[frame].points[0, 0, 0] for frame in range(FRAMES)] == list(range(FRAMES))


def test_every_stream_of_the_run_is_told_that_the_disk_is_full(bench, folder):
    with watch(bench, folder) as first, watch(bench, folder, start=40) as second:
        take(first, 10)
        take(second, 10)
        with full_disk(folder):
            said = [told(take(first, 3)), told(take(second, 3))]
            with watch(bench, folder, start=70) as third:
                said.append(told(take(third, 3)))
            # what is there already needs no room
            with watch(bench, folder, stop=5) as fourth:
                events = take(fourth)
    assert [[message.split(",")[0] for message in one] for one in said] == [
        ["From frame 10 on"], ["From frame 50 on"], ["From frame 70 on"],
    ]  # fmt: skip
    assert is_recorded(events) and told(events) == []
    assert sorted(read(folder.path(RUN)).frames) == [*range(10), *range(40, 50)]


@pytest.mark.parametrize("start", [FRAMES, 5000, 900_000_000_000])
def test_a_stream_begun_behind_the_videos_end_says_nothing_of_its_length(bench, folder, start):
    with watch(bench, folder, start=start) as stream:
        assert (seen(events := take(stream)), events[-1]) == ([], RunDone(0))
    assert read(folder.path(RUN)).end is None
    with watch(bench, folder) as stream:
        take(stream)
    with watch(bench, folder, start=start) as stream:
        take(stream)
    assert read(folder.path(RUN)).end == FRAMES


def test_a_stream_that_goes_on_behind_the_last_frame_finds_the_end(bench, folder):
    with watch(bench, folder, stop=FRAMES) as stream:
        take(stream)
    assert read(folder.path(RUN)).end is None
    with watch(bench, folder, start=FRAMES) as stream:
        take(stream)
    assert read(folder.path(RUN)).end == FRAMES
