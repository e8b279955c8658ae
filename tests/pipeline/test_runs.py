"""Runs through real processes: complete, in order, fair, bounded, and over when their viewer leaves."""

import cv2
import numpy as np
import psutil
import pytest

from inference.messages import Result, RunDone, RunFailed, RunStarted, RunStatus
from tests.kit import barcode
from tests.kit.waiting import wait_until
from tests.pipeline.conftest import check_every_frame_once, frames_of


def reads(bench, video):
    """Whether the producer has a video open."""
    producer = psutil.Process(bench.pipeline.processes()["producer"])
    return any(file.path.endswith(video) for file in producer.open_files())


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [(0, None, (0, 101)), (40, 45, (40, 45)), (100, None, (100, 101)), (99, 1000, (99, 101))],
)
def test_every_frame_once_in_order_with_its_own_pixels(bench, start, stop, expected):
    video = bench.video("short.avi", 101)
    check_every_frame_once(bench.watch(bench.run(video, start=start, stop=stop)), *expected)


@pytest.mark.parametrize(("start", "stop"), [(101, None), (5000, None), (7, 7), (7, 3)])
def test_a_run_of_no_frames_starts_and_is_done(bench, start, stop):
    events = bench.watch(bench.run(bench.video("short.avi", 101), start=start, stop=stop))
    assert [type(event) for event in events if not isinstance(event, RunStatus)] == [RunStarted, RunDone]


def test_the_start_says_what_the_video_and_the_model_are(bench):
    events = bench.watch(bench.run(bench.video("short.avi", 101), stop=1))
    started = next(event for event in events if isinstance(event, RunStarted))
    assert (started.video_name, started.model_names) == ("short.avi", ("m.number",))
    assert (started.video.width, started.video.height, started.video.n_frames) == (128, 96, 101)
    assert started.model.nodes == ("number",)


@pytest.mark.parametrize(("asked", "got"), [(None, 128), (64, 64), (1, 1), (5000, 128)])
def test_the_picture_has_the_width_that_was_asked_for(bench, asked, got):
    events = bench.watch(bench.run(bench.video("short.avi", 101), start=77, stop=78, image_width=asked))
    (frame,) = frames_of(events)
    picture = cv2.imdecode(np.frombuffer(frame.image, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture.shape[1] == got
    assert got < 64 or barcode.read(picture) == 77


def test_runs_at_once_are_each_complete_and_share_the_workers_fairly(bench):
    video, model = bench.video("long.avi", 400), bench.model("fair.slow", "seconds=0.004")
    bench.watch(bench.run(video, model, stop=1))
    order, runs = [], {name: bench.run(video, model) for name in "ab"}
    results = {name: [] for name in runs}
    # one viewer for both, so that it is not chance which of two threads comes first
    while not all(events and isinstance(events[-1], RunDone) for events in results.values()):
        for name, run in runs.items():
            while (event := run.next(0.001)) is not None:
                run.delivered(event)
                results[name].append(event)
                order += [name] if isinstance(event, Result) else []
    for name, run in runs.items():
        run.close()
        check_every_frame_once(results[name], 0, 400)
    last = order[-1]
    others = len(order) - order[::-1].index(next(name for name in order[::-1] if name != last))
    assert others > 600, "one run waited for the other"


def test_a_viewer_that_takes_nothing_holds_a_window_of_frames_and_no_more(bench):
    video = bench.video("long.avi", 400)
    with bench.run(video) as run:
        events = []
        wait_until(lambda: _drain(run, events) >= bench.pipeline.settings.window, 30)
        check_every_frame_once(bench.watch(bench.run(video)), 0, 400)
        _drain(run, events)
        frames = frames_of(events)
        assert len(frames) == bench.pipeline.settings.window
        for event in frames:
            run.delivered(event)
        rest = bench.watch(run)
    check_every_frame_once(events + rest, 0, 400)


def _drain(run, events):
    """Take what is there without giving anything back."""
    while (event := run.next(0.01)) is not None:
        events.append(event)
    return len(frames_of(events))


@pytest.mark.parametrize("moment", ["playing", "paused", "loading"])
def test_a_viewer_that_leaves_ends_its_run_within_a_second(bench, moment, loading_until_told):
    video = bench.video(f"left-{moment}.avi", 400)
    model = loading_until_told[0] if moment == "loading" else "m.number"
    run = bench.run(video, model)
    if moment == "loading":
        wait_until(lambda: reads(bench, video), 10)
    else:
        seen, enough = [], bench.pipeline.settings.window if moment == "paused" else 1
        wait_until(lambda: _drain(run, seen) >= enough, 30)
    run.close()
    assert wait_until(lambda: not reads(bench, video), 5) < 1
    assert bench.pipeline.active_runs == 0


def test_a_model_that_loads_slowly_does_not_hold_up_the_others(bench, loading_until_told):
    video, (model, go_on) = bench.video("short.avi", 101), loading_until_told
    with bench.run(video, model) as waiting:
        assert isinstance(waiting.next(10), RunStatus)
        check_every_frame_once(bench.watch(bench.run(video)), 0, 101)
        while (event := waiting.next(0)) is not None:
            assert isinstance(event, RunStatus)
        go_on()
        check_every_frame_once(bench.watch(waiting), 0, 101)


def test_what_is_no_video_ends_its_run_with_a_sentence(bench):
    (bench.folder / "text.mp4").write_text("this is text")
    assert isinstance(end := bench.watch(bench.run("text.mp4"))[-1], RunFailed)
    assert "text.mp4" in end.message and str(bench.folder) not in end.message


def test_a_video_that_is_cut_off_comes_as_far_as_it_goes(bench):
    whole = (bench.folder / bench.video("short.avi", 101)).read_bytes()
    (bench.folder / "cut.avi").write_bytes(whole[: len(whole) // 2])
    events = bench.watch(bench.run("cut.avi"))
    frames = frames_of(events)
    assert [frame.index for frame in frames] == list(range(len(frames))) and len(frames) > 30
    assert all(isinstance(frame, Result) for frame in frames)
    assert isinstance(events[-1], RunFailed)
    assert f"frame {len(frames)} " in events[-1].message and "101 frames" in events[-1].message


def test_the_least_recently_used_model_is_dropped(bench):
    video = bench.video("short.avi", 101)
    names = [bench.model(f"lru{i}.number") for i in range(6)]
    for name in names:
        check_every_frame_once(bench.watch(bench.run(video, name, stop=2)), 0, 2)
    assert bench.pipeline.health().models == sorted(names[-bench.pipeline.settings.max_models :])
    check_every_frame_once(bench.watch(bench.run(video, names[0], stop=2)), 0, 2)


def test_metrics_count_what_happened(bench):
    def count():
        lines = bench.pipeline.metrics.text().decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line[0] != "#"}

    wait_until(lambda: bench.pipeline.ready_workers == 2, 30)
    before = count()
    bench.watch(bench.run(bench.video("short.avi", 101)))
    after = count()
    predicted = 'inference_frames_total{outcome="predicted"}'
    assert after[predicted] - before[predicted] == 101
    assert after["inference_workers_ready"] == 2 and after["inference_runs_active"] == 0
    assert after['inference_stage_seconds_count{stage="decode"}'] >= 101
    assert "inference_worker_restarts_total" in after
