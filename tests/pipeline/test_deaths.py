"""Whoever dies or stops, and however often: every frame once, in order, as in an undisturbed run."""

import itertools
import os
import random
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import zmq

from inference import pipeline, pool, production
from inference.catalog import Catalog
from inference.child import Child
from inference.messages import Failed, Result, RunFailed, RunStatus, Tracked
from inference.requests import VideoRequest
from inference.settings import Source
from inference.watching import Watch
from tests.kit.mjpeg import MjpegServer
from tests.kit.predictors import KINDS
from tests.kit.waiting import wait_until
from tests.pipeline.conftest import Bench, check_every_frame_once, frames_of, start

LIMIT = 1.0


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A pipeline whose workers may take a second for a frame."""
    folder = tmp_path_factory.mktemp("deaths")
    with start(folder, time_limit=LIMIT) as pipeline:
        pipeline.start([Catalog(folder, folder, KINDS).model("m.number")])
        yield Bench(pipeline, folder)


def counted(bench, name):
    lines = bench.pipeline.metrics.text().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name))


def points(events):
    return np.array([event.prediction.points for event in frames_of(events)])


def test_thirty_kills_and_three_stops_in_5000_frames_lose_nothing(bench, killed_worker, stopped_worker):
    chance = random.Random(5)
    video = bench.video("many.avi", 5000, width=64, height=16)
    undisturbed = bench.watch(bench.run(video))
    before = counted(bench, "inference_worker_restarts_total")
    moments = sorted(chance.sample(range(4900), 33))
    stops = set(moments[5::11])
    hit = set()

    def strike(event):
        if event.index in moments:
            hit.add((stopped_worker if event.index in stops else killed_worker)(bench.pipeline, chance))

    disturbed = bench.watch(bench.run(video), strike)
    check_every_frame_once(disturbed, 0, 5000)
    np.testing.assert_array_equal(points(disturbed), points(undisturbed))
    hit.discard(None)
    assert len(hit) >= 20
    wait_until(lambda: counted(bench, "inference_worker_restarts_total") - before >= len(hit), 30)


def test_no_frame_is_given_up_in_a_hail_of_kills(bench, killed_worker, every_now_and_then):
    video, chance, before = bench.video("more.avi", 250), random.Random(6), bench.pipeline.restarts

    def strike():
        if bench.pipeline.ready_workers:  # else it could go on for ever
            killed_worker(bench.pipeline, chance)

    stop = every_now_and_then(strike, chance, 0.5)

    def halt(event):
        if event.index == 200:
            stop.set()

    model = bench.model("slowish.slow", "seconds=0.1")
    check_every_frame_once(bench.watch(bench.run(video, model), halt), 0, 250)
    assert bench.pipeline.restarts - before >= 5


def test_a_worker_stopped_while_idle_is_replaced(bench, stopped_worker):
    wait_until(lambda: bench.pipeline.ready_workers == 2, 30)
    before = bench.pipeline.restarts
    stopped = stopped_worker(bench.pipeline, random.Random(1))
    wait_until(lambda: stopped not in bench.pipeline.processes().values(), 30)
    assert bench.pipeline.restarts > before
    wait_until(lambda: bench.pipeline.ready_workers == 2, 30)


@pytest.mark.parametrize("gil", ["", "gil=1"])
def test_a_frame_at_which_the_engine_always_hangs_is_one_failure(bench, gil):
    video = bench.video("few.avi", 100)
    events = bench.watch(
        bench.run(video, bench.model("h.hangs_in_predict", f"frame=17 {gil}"), start=10, stop=30)
    )
    check_every_frame_once(events, 10, 30, failed=(17,))
    (failure,) = (event for event in frames_of(events) if isinstance(event, Failed))
    assert "time limit" in failure.message


def test_a_frame_at_which_the_engine_hangs_once_comes_all_the_same(bench, tmp_path):
    model = bench.model("once.hangs_in_predict", f"frame=17 once={tmp_path / 'once'}")
    check_every_frame_once(bench.watch(bench.run(bench.video("few.avi", 100), model)), 0, 100)


def test_a_model_that_hangs_while_it_loads_ends_its_own_run_alone(bench, monkeypatch):
    monkeypatch.setattr(pool, "LOADING_LIMITS", 2)
    with bench.run(bench.video("few.avi", 100), bench.model("x.hangs_in_setup")) as waiting:
        check_every_frame_once(bench.watch(bench.run("few.avi")), 0, 100)
        end = []
        wait_until(lambda: isinstance(end.append(waiting.next(1)) or end[-1], RunFailed), 60)
    assert "cannot be loaded" in end[-1].message and "2 s" in end[-1].message
    check_every_frame_once(bench.watch(bench.run("few.avi")), 0, 100)


def test_a_producer_killed_again_and_again_loses_nothing(bench, killed_producer):
    video = bench.video("some.avi", 600)
    moments = {0, 1, 2, 50, 51, 300, 599}
    before = counted(bench, "inference_producer_restarts_total")
    other = bench.run(video, start=100, stop=140)

    def strike(event):
        if event.index in moments:
            killed_producer(bench.pipeline)

    events = bench.watch(bench.run(video), strike)
    check_every_frame_once(events, 0, 600)
    assert any(isinstance(event, RunStatus) and "is replaced" in event.message for event in events)
    assert counted(bench, "inference_producer_restarts_total") - before >= 3
    check_every_frame_once(bench.watch(other), 100, 140)


def test_nothing_is_taken_for_lost_while_a_slow_worker_has_what_a_dead_producer_sent(
    tmp_path, killed_producer, caplog
):
    with start(tmp_path, n_servers=1) as slow:
        slow.start([])
        bench = Bench(slow, tmp_path)
        model = bench.model("s.slow", "seconds=3")

        def strike(event):
            if event.index == 0:
                killed_producer(slow)

        run = bench.run(bench.video("v.avi", 20), model, stop=5)
        check_every_frame_once(bench.watch(run, strike), 0, 5)
        assert slow.producer_restarts == 1
    assert "sent again" not in caplog.text


def test_a_stopped_producer_is_replaced_and_its_runs_go_on(bench, stopped_producer):
    before = bench.pipeline.producer_restarts

    def strike(event):
        if event.index == 200:
            stopped_producer(bench.pipeline)

    check_every_frame_once(bench.watch(bench.run(bench.video("some.avi", 600)), strike), 0, 600)
    assert bench.pipeline.producer_restarts > before


def test_everybody_killed_at_once_loses_nothing(bench):
    def strike(event):
        if event.index == 200:
            for pid in bench.pipeline.processes().values():
                os.kill(pid, signal.SIGKILL)

    check_every_frame_once(bench.watch(bench.run(bench.video("some.avi", 600)), strike), 0, 600)


def test_a_run_begun_while_there_is_no_producer_is_served(bench, killed_producer):
    video, killed = bench.video("few.avi", 100), bench.pipeline.processes().get("producer")
    killed_producer(bench.pipeline)
    # there is none, or one that is not bound yet
    wait_until(lambda: bench.pipeline.processes().get("producer") != killed, 30)
    check_every_frame_once(bench.watch(bench.run(video)), 0, 100)


def test_a_video_that_kills_its_decoder_ends_its_own_run_alone(bench, killed_producer, every_now_and_then):
    bad, good = bench.folder / bench.video("deadly.avi", 400), bench.video("some.avi", 600)

    def strike():
        pid = bench.pipeline.processes().get("producer")
        try:
            opened = [fd.readlink() for fd in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            return
        if bad in opened:
            killed_producer(bench.pipeline)

    stop = every_now_and_then(strike, random.Random(2), 0.001)
    others = bench.run(good, bench.model("steady.slow", "seconds=0.01"))
    ended = bench.watch(bench.run(bad.name))
    stop.set()
    assert isinstance(ended[-1], RunFailed) and "deadly.avi" in ended[-1].message
    check_every_frame_once(bench.watch(others), 0, 600)


def test_a_video_replaced_while_there_is_no_producer_is_not_mixed_up(bench, killed_producer):
    one, other = bench.folder / bench.video("mine.avi", 400), bench.folder / bench.video("yours.avi", 300)

    def strike(event):
        if event.index == 100:
            other.replace(one)
            killed_producer(bench.pipeline)

    events = bench.watch(bench.run(one.name), strike)
    assert isinstance(events[-1], RunFailed) and "replaced" in events[-1].message
    assert all(event.prediction.points[0, 0] == event.index for event in events if isinstance(event, Result))


def test_nobody_gets_the_port_of_a_dead_producer(bench, killed_producer, every_now_and_then):
    address = ("127.0.0.1", int(bench.pipeline.work.address.rpartition(":")[2]))
    before, stolen = bench.pipeline.producer_restarts, []

    def steal():
        with socket.socket() as thief, suppress(OSError):
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind(address)
            stolen.append(time.monotonic())

    def strike(event):
        if event.index % 200 == 100:
            killed_producer(bench.pipeline)

    stop = every_now_and_then(steal, random.Random(3), 0.01)
    check_every_frame_once(bench.watch(bench.run(bench.video("some.avi", 600)), strike), 0, 600)
    stop.set()
    assert bench.pipeline.producer_restarts > before
    assert not stolen


def take(run):
    """A run's next event, given back at once."""
    event = run.next(1)
    if event is not None:
        run.delivered(event)
    return event


@pytest.mark.parametrize("who", ["producer", "worker"])
def test_a_process_that_the_system_does_not_give_is_asked_for_again(bench, monkeypatch, who):
    refusals = []

    def refused_twice(name, *arguments):
        if len(refusals) < 2:
            refusals.append(name)
            raise OSError("no room for one more process")
        return Child(name, *arguments)

    monkeypatch.setattr(production if who == "producer" else pipeline, "Child", refused_twice)
    run = bench.run(bench.video("some.avi", 600))
    while not isinstance(run.next(30), Result):
        pass
    os.kill(
        next(pid for name, pid in bench.pipeline.processes().items() if name.startswith(who)), signal.SIGKILL
    )
    run.close()
    wait_until(lambda: len(refusals) == 2, 20)
    wait_until(lambda: bench.pipeline.ready_workers == 2, 30)
    check_every_frame_once(bench.watch(bench.run("few.avi")), 0, 100)


def test_who_was_asleep_itself_blames_nobody(bench):
    """As after Ctrl-Z, or when a virtual machine was stopped: nobody was asked meanwhile."""
    wait_until(lambda: bench.pipeline.ready_workers == 2, 30)
    before = bench.pipeline.restarts, bench.pipeline.producer_restarts
    # the watcher cannot look while this holds its lock
    with bench.pipeline._lock:
        time.sleep(4 * LIMIT)
    check_every_frame_once(bench.watch(bench.run(bench.video("few.avi", 100))), 0, 100)
    assert (bench.pipeline.restarts, bench.pipeline.producer_restarts) == before


def test_a_live_run_goes_on_in_order_with_a_new_producer(tmp_path, killed_producer):
    with (
        MjpegServer(rate=30.0) as server,
        start(tmp_path, sources=(Source("stream:a", server.url),), time_limit=30.0) as pipeline_,
    ):
        bench = Bench(pipeline_, tmp_path)
        bench.pipeline.start([])
        model = bench.catalog.model(bench.model("s.slow", "seconds=0.2"))
        request = VideoRequest(bench.pipeline.settings.sources[0], model)
        seen = []
        with Watch(bench.pipeline, request, recordings=None) as watch:
            while len(seen) < 25:
                event = watch.next(30)
                assert event is not None
                watch.delivered(event)
                if isinstance(event, Tracked):
                    seen.append((event.result.index, event.result.sequence, event.live.dropped))
                    if len(seen) in (6, 15):
                        killed_producer(bench.pipeline)
    assert all(one[0] < other[0] and one[1] < other[1] for one, other in itertools.pairwise(seen))
    assert all(one[2] <= other[2] for one, other in itertools.pairwise(seen))


def test_strangers_on_the_ports_get_nothing_and_stop_nothing(bench, foreign_peer, raw_bytes):
    video = bench.video("few.avi", 100)
    refused = counted(bench, "inference_peers_refused_total")
    results = bench.pipeline.results.address
    thief = foreign_peer(bench.pipeline.work.address, zmq.PULL)
    liar = foreign_peer(results, zmq.PUSH)
    raw_bytes(int(results.rpartition(":")[2]), b"GET / HTTP/1.1\r\n\r\n" * 100)
    check_every_frame_once(bench.watch(bench.run(video)), 0, 100)
    assert not thief.poll(0) and not liar.poll(0, zmq.POLLOUT)
    wait_until(lambda: counted(bench, "inference_peers_refused_total") - refused >= 3, 10)


def test_garbage_from_a_peer_is_dropped_and_counted(bench, peer_with_the_key):
    garbage = [b"", b"\x80\x04K\x01.", b'{"dict":[1]}', b'{"@":"Result"}', b'{"@":"Quit"}', b"x" * 100_000]
    dropped = counted(bench, "inference_messages_dropped_total")
    liar = peer_with_the_key(bench.pipeline.results, zmq.PUSH)
    for part in garbage:
        liar.send_multipart([part, b"more"])
    wait_until(lambda: counted(bench, "inference_messages_dropped_total") - dropped == len(garbage), 10)
    liar.send(bytes(1 << 29), copy=False)  # larger than any part may be: it is cut off
    check_every_frame_once(bench.watch(bench.run(bench.video("few.avi", 100))), 0, 100)
    assert counted(bench, "inference_messages_dropped_total") - dropped == len(garbage)
