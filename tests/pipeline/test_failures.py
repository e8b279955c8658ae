"""What dies, fails or lies: nothing is lost, only its own run ends, and the viewer reads why."""

import os
import random
import signal
import socket

import psutil
import pytest

from inference.errors import PortInUse
from inference.ledger import BEYOND_LUCK
from inference.messages import Failed, RunFailed, RunStarted, RunStatus
from tests.kit.waiting import wait_until, wait_until_gone
from tests.pipeline.conftest import Bench, check_every_frame_once, frames_of, start


@pytest.fixture
def video(bench):
    return bench.video("failures.avi", 150)


def check_others_work(bench, video):
    check_every_frame_once(bench.watch(bench.run(video)), 0, 150)


def test_a_worker_killed_in_the_middle_loses_nothing(bench, video, killed_worker):
    wait_until(lambda: bench.pipeline.ready_workers == 2, 30)
    restarts, chance, hit = bench.pipeline.restarts, random.Random(4), set()

    def kill_at(event):
        if event.index in (20, 90):
            hit.add(killed_worker(bench.pipeline, chance))

    model = bench.model("a.slow", "seconds=0.01")
    events = bench.watch(bench.run(video, model), kill_at)
    check_every_frame_once(events, 0, 150)
    hit.discard(None)
    assert hit
    wait_until(lambda: bench.pipeline.restarts - restarts == len(hit), 30)
    assert any(isinstance(event, RunStatus) and event.state == "restarting" for event in events)


def test_all_workers_killed_at_once_lose_nothing(bench, video):
    def kill_at(event):
        if event.index == 30:
            for name, pid in bench.pipeline.processes().items():
                if name != "producer":
                    os.kill(pid, signal.SIGKILL)

    check_every_frame_once(bench.watch(bench.run(video), kill_at), 0, 150)


def test_a_frame_that_kills_once_comes_all_the_same(bench, video, tmp_path):
    model = bench.model("once.killed_in_predict", f"frame=17 once={tmp_path / 'once'}")
    check_every_frame_once(bench.watch(bench.run(video, model)), 0, 150)


def test_a_frame_that_always_kills_is_one_failure_and_the_run_goes_on(bench, video):
    wait_until(lambda: bench.pipeline.ready_workers == 2, 30)
    restarts = bench.pipeline.restarts
    events = bench.watch(bench.run(video, bench.model("always.killed_in_predict", "frame=17")))
    check_every_frame_once(events, 0, 150, failed=(17,))
    assert 5 <= bench.pipeline.restarts - restarts <= BEYOND_LUCK  # more if others died of late
    check_others_work(bench, video)


@pytest.mark.parametrize("kind", ["fails_in_feed", "fails_in_predict"])
@pytest.mark.parametrize("frame", [0, 18, 149])
def test_one_bad_frame_is_one_failure_in_its_place(bench, video, kind, frame):
    events = bench.watch(bench.run(video, bench.model(f"bad{frame}.{kind}", f"frame={frame}")))
    check_every_frame_once(events, 0, 150, failed=(frame,))
    (failure,) = (event for event in frames_of(events) if isinstance(event, Failed))
    assert str(frame) in failure.message and "secret" not in failure.message


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("fails_in_setup", "a test wrote it"),
        ("stumbles_in_setup", "could not be loaded"),
        ("killed_in_setup", "worker process died"),
    ],
)
def test_a_model_that_cannot_be_loaded_ends_its_own_runs_with_a_sentence(bench, video, kind, said):
    model = bench.model(f"x.{kind}")
    for _ in range(2):
        events = bench.watch(bench.run(video, model))
        assert isinstance(events[-1], RunFailed) and said in events[-1].message
        assert "secret" not in events[-1].message
        assert not any(isinstance(event, RunStarted) for event in events)
    check_others_work(bench, video)


def test_a_model_that_is_mended_loads(bench, video):
    model = bench.model("mended.fails_in_setup")
    assert isinstance(bench.watch(bench.run(video, model))[-1], RunFailed)
    (bench.folder / model).rename(bench.folder / "mended.number")
    check_every_frame_once(bench.watch(bench.run(video, "mended.number")), 0, 150)


@pytest.mark.parametrize("flag", ["producer_send_port", "consumer_send_port"])
def test_a_busy_port_names_its_flag_and_leaves_no_process(tmp_path, flag):
    before = set(psutil.Process().children(recursive=True))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with start(tmp_path, **{flag: port}) as pipeline, pytest.raises(PortInUse, match=f"-{flag}.* {port}"):
            pipeline.start([])
    started = set(psutil.Process().children(recursive=True)) - before
    wait_until_gone([process for process in started if "spawn_main" in " ".join(process.cmdline())], 5)


def test_given_ports_are_used_exactly(tmp_path):
    with socket.socket() as one, socket.socket() as two:
        for free in (one, two):
            free.bind(("127.0.0.1", 0))
        ports = {"producer_send_port": one.getsockname()[1], "consumer_send_port": two.getsockname()[1]}
    with start(tmp_path, n_servers=1, **ports) as pipeline:
        pipeline.start([])
        bench = Bench(pipeline, tmp_path)
        check_every_frame_once(bench.watch(bench.run(bench.video("a.avi", 20))), 0, 20)
        for port in ports.values():
            with socket.create_connection(("127.0.0.1", port), 1):
                pass


def test_closing_ends_every_run_and_process(tmp_path):
    with start(tmp_path) as pipeline:
        pipeline.start([])
        bench = Bench(pipeline, tmp_path)
        run = bench.run(bench.video("a.avi", 400))
        while not isinstance(run.next(30), RunStarted):
            pass
        processes = [psutil.Process(pid) for pid in pipeline.processes().values()]
        assert len(processes) == 3
    events = []
    while (event := run.next(0)) is not None:
        events.append(event)
    assert isinstance(events[-1], RunFailed)
    wait_until_gone(processes, 5)
