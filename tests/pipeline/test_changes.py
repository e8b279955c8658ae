"""Models that change, and deaths at odd moments: whose fault a death is, and who pays for it."""

import os
import shutil
import signal
import threading

import pytest

from inference.messages import Failed, FrameResult, Result, RunDone, RunFailed, RunStarted, RunStatus
from tests.kit.waiting import wait_until
from tests.pipeline.conftest import check_every_frame_once


@pytest.fixture
def video(bench):
    return bench.video("changes.avi", 150)


def workers(bench):
    return [pid for name, pid in bench.pipeline.processes().items() if name != "producer"]


def kill_workers(bench, count):
    for pid in workers(bench)[:count]:
        os.kill(pid, signal.SIGKILL)


def all_ready(bench):
    return bench.pipeline.ready_workers == 2


def test_a_good_model_is_not_blamed_for_kills_while_it_loads(bench, video, tmp_path):
    began = tmp_path / "began"
    began.touch()
    model = bench.model("killed-while-loading.slow", f"setup=1.5 began={began}")
    with bench.run(video, model) as run:
        wait_until(lambda: len(began.read_text().splitlines()) == 2, 30)
        kill_workers(bench, 2)
        check_every_frame_once(bench.watch(run), 0, 150)


def test_a_model_that_loads_is_not_blamed_for_anothers_deadly_frame(bench, video):
    deadly = bench.model("deadly.killed_in_predict", "frame=40")
    innocent = bench.model("innocent.slow", "setup=2")
    bench.watch(bench.run(video, deadly, stop=10))
    results = {}

    def view(name, model):
        results[name] = bench.watch(bench.run(video, model))

    viewers = [threading.Thread(target=view, args=pair) for pair in (("b", innocent), ("a", deadly))]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()
    check_every_frame_once(results["a"], 0, 150, failed=(40,))
    check_every_frame_once(results["b"], 0, 150)


def test_a_model_that_is_replaced_while_in_use_never_mixes_with_its_successor(bench, video):
    wait_until(lambda: all_ready(bench), 30)
    model = bench.model("replaced.slow", "seconds=0.02")

    def replace_and_kill(event):
        if event.index == 30:
            bench.model("replaced.slow", "seconds=0.02 another=1")
            kill_workers(bench, 1)

    check_every_frame_once(bench.watch(bench.run(video, model), replace_and_kill), 0, 150)
    wait_until(lambda: all_ready(bench), 30)
    check_every_frame_once(bench.watch(bench.run(video, model, stop=20)), 0, 20)


def test_a_model_that_is_gone_when_all_workers_died_ends_its_run_with_a_sentence(bench, video):
    wait_until(lambda: all_ready(bench), 30)
    model = bench.model("gone.slow", "seconds=0.02")

    def remove_and_kill(event):
        if event.index == 30:
            (bench.folder / model).unlink()
            kill_workers(bench, 2)

    events = bench.watch(bench.run(video, model), remove_and_kill)
    assert isinstance(events[-1], RunFailed)
    assert "gone.slow" in events[-1].message
    check_every_frame_once(bench.watch(bench.run(video)), 0, 150)


def test_a_model_that_is_deleted_while_in_use_finishes_its_frames(bench, video):
    wait_until(lambda: all_ready(bench), 30)
    model = bench.model("deleted.slow", "seconds=0.02")

    def delete(event):
        if event.index == 30:
            (bench.folder / model).unlink()

    check_every_frame_once(bench.watch(bench.run(video, model), delete), 0, 150)


def change_at(frame, change):
    """Changes something once that frame has come."""
    return lambda event: change() if event.index == frame else None


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_video_that_is_deleted_or_replaced_while_in_use_is_read_to_its_end(bench, suffix, how):
    path = bench.folder / bench.video(f"{how}{suffix}", 300)
    other = bench.folder / bench.video(f"other{suffix}", 20, width=64, height=48)

    def replace():
        shutil.copy(other, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    change = path.unlink if how == "deleted" else replace
    run = bench.run(path.name, bench.model("steady.slow", "seconds=0.01"))
    check_every_frame_once(bench.watch(run, change_at(30, change)), 0, 300)


@pytest.mark.parametrize("how", ["overwritten", "cut off", "emptied"])
def test_a_video_that_changes_in_place_ends_its_run_alone(bench, video, how):
    path = bench.folder / bench.video(f"{how}.avi", 300)
    whole = path.read_bytes()

    def change():
        content = {"overwritten": bytes(len(whole)), "cut off": whole[: len(whole) // 3], "emptied": b""}[how]
        with path.open("r+b") as file:
            file.write(content)
            file.truncate()

    events = bench.watch(
        bench.run(path.name, bench.model("steady.slow", "seconds=0.01")), change_at(30, change)
    )
    frames = [event for event in events if isinstance(event, Result | Failed)]
    assert [event.index for event in frames] == list(range(len(frames))) and len(frames) > 30
    seen = [event for event in frames if isinstance(event, Result)]
    assert all(event.prediction.points[0, 0] == event.index for event in seen)
    assert isinstance(events[-1], RunFailed) and path.name in events[-1].message
    assert str(bench.folder) not in events[-1].message
    check_every_frame_once(bench.watch(bench.run(video)), 0, 150)


def test_a_model_asked_for_while_a_worker_restarts_holds_up_nobody(bench, video, loading_until_told):
    wait_until(lambda: all_ready(bench), 30)
    asked, go_on = loading_until_told
    steady, other = bench.model("steady.slow", "seconds=0.01"), []

    def on_frame(event):
        if event.index == 60:
            kill_workers(bench, 1)
            other.append(bench.run(video, asked))

    check_every_frame_once(bench.watch(bench.run(bench.video("long.avi", 400), steady), on_frame), 0, 400)
    while (event := other[0].next(0)) is not None:
        assert isinstance(event, RunStatus)
    go_on()
    check_every_frame_once(bench.watch(other[0]), 0, 150)


def test_an_edited_model_is_loaded_anew(bench, video):
    for text in ("", "seconds=0", "seconds=0.0"):
        events = bench.watch(bench.run(video, bench.model("edited.slow", text), stop=3))
        check_every_frame_once(events, 0, 3)
        assert any(isinstance(event, RunStatus) for event in events)


def test_failed_models_are_not_kept(bench, video):
    for number in range(10):
        events = bench.watch(bench.run(video, bench.model("again.fails_in_setup", f"try={number}")))
        assert isinstance(events[-1], RunFailed)
    assert bench.pipeline.known_models <= bench.pipeline.settings.max_models


def test_events_come_in_the_promised_order(bench, video):
    kinds = [type(event) for event in bench.watch(bench.run(video, bench.model("order.slow", "setup=0.2")))]
    assert kinds[0] is RunStatus
    assert kinds.index(RunStarted) < kinds.index(FrameResult)
    assert kinds[-1] is RunDone
