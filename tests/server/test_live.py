"""Live streams from real network cameras on loopback, through the whole pipeline and the real server."""

import base64
import functools
import itertools
import json
import math
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import pytest

import app as web
from inference.catalog import Catalog
from inference.pipeline import Pipeline
from inference.settings import Settings, Source
from tests.kit import barcode
from tests.kit.mjpeg import MjpegServer
from tests.kit.predictors import KINDS
from tests.kit.program import Program
from tests.kit.waiting import wait_until
from tests.server.conftest import Site

INFERENCE = 0.25
"""Seconds that the slow model takes for a batch."""
BOUND = 2 * INFERENCE * 1000
"""Milliseconds that 95 of 100 frames may take from the camera to the viewer."""
LITTLE = 60 * 1024
"""Bytes that a slow viewer reads at a time."""
MODELS = {"m.number": "", "tortoise.slow": f"seconds={INFERENCE}"}
YARD = {"video_name": "stream:yard", "model_name": "m.number"}
SLOWLY = {"video_name": "stream:yard", "model_name": "tortoise.slow"}


@pytest.fixture(scope="module")
def yard():
    """A camera with small pictures."""
    with MjpegServer(rate=30) as camera:
        yield camera


@pytest.fixture(scope="module")
def field():
    """A camera with large ones."""
    with MjpegServer(rate=30, width=480, height=360, noise=True) as camera:
        yield camera


@pytest.fixture(scope="module")
def site(tmp_path_factory, yard, field):
    """A server with two workers, a video and two cameras."""
    folder = tmp_path_factory.mktemp("live")
    barcode.write(folder / "a.avi", 100)
    for name, says in MODELS.items():
        (folder / name).write_text(says)
    sources = (Source("stream:yard", yard.url), Source("stream:field", field.url))
    settings = Settings(
        data=folder, models=folder, runs=folder / "runs", kinds=KINDS, n_servers=2, sources=sources
    )
    listener = web.listen("127.0.0.1", 0)
    with Pipeline(settings) as pipeline:
        pipeline.start([Catalog(folder, folder, KINDS).model(name) for name in MODELS])
        server = web.Server(web.create_app(settings, pipeline), listener)
        made = Site(web.address_of(listener), folder, pipeline)
        wait_until(lambda: pipeline.ready_workers == 2, 60)
        made.stream(video_name="a.avi", model_name="m.number")  # both have worked once
        yield made
        pipeline.close()
        server.close()


@pytest.fixture(autouse=True)
def nobody_left(yard, field):
    """After each test, both cameras see their client go."""
    yield
    wait_until(lambda: (yard.clients, field.clients) == (0, 0), 10)


def frames_of(events):
    return [data for name, _, data in events if name == "message"]


def statuses_of(events):
    return [data for name, _, data in events if name == "status"]


def number_in(frame):
    """The number in the picture, which the camera gave it."""
    picture = cv2.imdecode(
        np.frombuffer(base64.b64decode(frame["img"].partition(",")[2]), np.uint8), cv2.IMREAD_GRAYSCALE
    )
    return barcode.read(picture)


class Late(AssertionError):
    """Frames took longer than they may."""


def tried_thrice(test):
    """A test of how late frames are: the machine may stop for a moment in one try, but not in each."""

    @functools.wraps(test)
    def tries(*arguments, **named):
        for _ in range(2):
            with suppress(Late):
                return test(*arguments, **named)
        return test(*arguments, **named)

    return tries


def check_newest(frames, bound=BOUND):
    """Live frames are in order, fresh, and whatever was dropped between them is counted."""
    numbers = [number_in(frame) for frame in frames]
    assert [frame["peak_points"][0][0] for frame in frames] == numbers
    dropped = [frame["live"]["dropped"] for frame in frames]
    for position, number in enumerate(numbers):
        assert dropped[position] - dropped[0] == number - numbers[0] - position
    indices, captured = ([frame["frame_idx"] for frame in frames], [f["live"]["captured"] for f in frames])
    for values in (numbers, indices, captured):
        assert all(earlier < later for earlier, later in itertools.pairwise(values))
    delays = sorted(frame["live"]["delay_ms"] for frame in frames)
    assert delays[0] > 0
    told = [(frame["frame_idx"], frame["live"]["delay_ms"], frame["timing"]["queue"]) for frame in frames]
    if delays[math.ceil(0.95 * len(delays)) - 1] >= bound:
        raise Late("\n".join(map(str, told)))


def test_live_sources_stand_behind_the_files(site):
    names = httpx.get(f"{site.address}get_available_videos").json()
    assert names == ["a.avi", "stream:yard", "stream:field"]


@tried_thrice
def test_with_a_slow_model_the_newest_frames_come_and_the_others_are_counted(site):
    began = time.time()
    events = site.stream(**SLOWLY, start=7, stop=37)
    frames = frames_of(events)
    (start,) = (data for name, _, data in events if name == "start")
    assert {name: start[name] for name in ("video_name", "live", "n_frames", "fps", "recorded")} == {
        "video_name": "stream:yard",
        "live": True,
        "n_frames": None,
        "fps": None,
        "recorded": False,
    }
    assert (start["width"], start["height"]) == (128, 96)
    assert [number for name, number, _ in events if name == "message"] == [
        str(f["frame_idx"]) for f in frames
    ]
    assert frames[0]["frame_idx"] >= 7 and frames[-1]["frame_idx"] <= 36
    assert events[-1] == ("done", events[-1][1], {"frames": len(frames)})
    assert began - 5 < frames[0]["live"]["captured"] < time.time()
    assert frames[-1]["live"]["dropped"] > len(frames)
    check_newest(frames)
    recorded = httpx.get(f"{site.address}runs").json()
    assert {run["video_name"] for run in recorded} <= {"a.avi"}


def test_a_stream_that_is_taken_up_again_goes_on_with_higher_numbers(site):
    frames = frames_of(site.stream(**YARD, last_event_id=41, stop=45, run_id="a-run-of-a-camera"))
    assert {frame["frame_idx"] for frame in frames} <= {42, 43, 44}
    assert [name for name, _, _ in site.stream(**YARD, start=9, stop=9)][-2:] == ["start", "done"]


class SlowReader:
    """A viewer that reads a stream a little at a time, and only as fast as it is told."""

    def __init__(self, site, **query):
        self._connection = socket.socket()
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._connection.connect((urlsplit(site.address).hostname, urlsplit(site.address).port))
        path = str(httpx.URL("/generate_predictions", params=query))
        # an answer to HTTP/1.0 comes as it is, in no chunks
        self._connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        self._text = b""
        self.frames = []

    def read(self, size):
        while size > 0:
            got = self._connection.recv(min(size, 16384))
            assert got
            self._text += got
            size -= len(got)
        *blocks, self._text = self._text.split(b"\n\n")
        for block in blocks:
            if b"event:" not in block and b"data: {" in block:
                self.frames.append(json.loads(block.partition(b"data: ")[2]))

    def close(self):
        self._connection.close()


@tried_thrice
def test_however_slow_the_viewer_what_is_written_is_new(site):
    viewer = SlowReader(site, video_name="stream:field", model_name="tortoise.slow", start=0)
    predicted = collected(site)
    while len(viewer.frames) < 20:
        # less than half a message for each frame that is predicted
        predicted = wait_for_more(site, predicted)
        viewer.read(LITTLE)
    frames = viewer.frames
    viewer.close()
    wait_until(lambda: site.pipeline.active_runs == 0, 10)
    assert len(json.dumps(frames[-1])) > 2 * LITTLE
    assert frames[-1]["frame_idx"] > 1.5 * len(frames), "the viewer was not slow"
    check_newest(frames)


def wait_for_more(site, predicted):
    wait_until(lambda: collected(site) > predicted, 20)
    return collected(site)


def collected(site):
    """How many frames have been predicted."""
    lines = site.pipeline.metrics.text().decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if 'frames_total{outcome="predicted"}' in line)


@tried_thrice
def test_a_file_beside_a_live_stream_is_whole_and_the_live_one_stays_new(site):
    files = []
    query = {"video_name": "a.avi", "model_name": "tortoise.slow", "stop": 28}
    beside = threading.Thread(target=lambda: files.append(site.stream(**query)))
    with watching(site, **SLOWLY) as stream:
        frames = [stream.frame()]
        beside.start()
        while beside.is_alive():
            frames.append(stream.frame())
    assert [frame["frame_idx"] for frame in frames_of(files[0])] == list(range(28))
    assert len(frames) >= 20
    check_newest(frames)


class watching:  # noqa: N801
    """An open stream whose events are taken one at a time; leaving closes it."""

    def __init__(self, site, **query):
        self._request = httpx.stream("GET", f"{site.address}generate_predictions", params=query, timeout=30)
        self.said = []

    def __enter__(self):
        self._lines = self._request.__enter__().iter_lines()
        return self

    def __exit__(self, *error):
        self._lines.close()
        self._request.__exit__(*error)

    def frame(self):
        """The next frame; what else is said stands in `said`."""
        name = None
        for line in self._lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = json.loads(line.removeprefix("data: "))
                if name is None:
                    return data
                self.said.append((name, data))
                assert name in ("status", "start"), self.said
                name = None
        raise AssertionError("the stream has ended")


def test_a_camera_that_goes_and_comes_back_is_a_status_and_the_run_goes_on(site, yard):
    with watching(site, **YARD) as stream:
        before = stream.frame()
        yard.stop()
        wait_until(lambda: yard.clients == 0, 10)
        asked = len(yard.asked)
        yard.start()
        while len(yard.asked) == asked:
            assert stream.frame()["frame_idx"] > before["frame_idx"]
        after = stream.frame()
    assert number_in(after) > number_in(before) and after["frame_idx"] > before["frame_idx"]
    states = [data["state"] for name, data in stream.said if name == "status"][-2:]
    assert states == ["reconnecting", "connected"]
    assert "stream:yard" in str(stream.said) and "hush" not in str(stream.said)
    assert str(yard.port) not in str(stream.said)


def test_a_stream_that_ends_like_a_file_is_opened_again(site, yard):
    opened, yard.frames = yard.opened, 15
    try:
        with watching(site, **YARD) as stream:
            while yard.opened < opened + 2:
                stream.frame()
            stream.frame()
    finally:
        yard.frames = None
    assert "stream:yard was lost" in str(stream.said)


def test_viewers_of_one_camera_share_it_and_the_last_to_leave_closes_it(site, yard):
    opened = yard.opened
    with watching(site, **YARD) as first:
        first.frame()
        with watching(site, **YARD) as second:
            second.frame()
            first.frame()
            assert (yard.opened, yard.clients) == (opened + 1, 1)
        first.frame()
        assert yard.clients == 1
    wait_until(lambda: yard.clients == 0, 5)


def test_a_worker_that_dies_costs_a_live_run_no_more_than_its_frame(site):
    with watching(site, **SLOWLY) as stream:
        stream.frame()
        name, pid = next((name, pid) for name, pid in site.pipeline.processes().items() if "worker" in name)
        os.kill(pid, signal.SIGKILL)
        frames = []
        while site.pipeline.processes().get(name) == pid or len(frames) < 10:
            frames.append(stream.frame())
    check_newest(frames, bound=np.inf)
    assert "restarting" in [data["state"] for _, data in stream.said if "state" in data]
    wait_until(lambda: site.pipeline.ready_workers == 2, 30)


def test_no_other_source_can_be_asked_for(site, yard):
    opened = yard.opened
    for name in (yard.url, f"stream:{yard.url}", "stream:0", "camera:0", "stream:yard ", "STREAM:YARD"):
        response = httpx.get(
            f"{site.address}generate_predictions", params={"video_name": name, "model_name": "m.number"}
        )
        assert response.status_code == 404
    assert yard.opened == opened


def test_the_password_is_neither_shown_nor_logged(tmp_path, yard):
    (tmp_path / "best_model.h5").write_text("no model")
    folders = ("--data", str(tmp_path), "--models", str(tmp_path), "--port", "0", "-n_servers", "1")
    running = Program(*folders, "--stream", f"yard={yard.url}", "--log-level", "debug")
    said = []
    try:
        said.append(httpx.get(f"{running.address}get_available_videos").text)
        assert "stream:yard" in said[0]
        stream = f"{running.address}generate_predictions"
        said.append(httpx.get(stream, params={"video_name": "stream:x"}).text)
        with httpx.stream("GET", stream, params={"video_name": "stream:yard"}, timeout=30) as response:
            wait_until(lambda: yard.clients == 1, 20)
            yard.stop()
            said.extend(response.iter_text())
        said.append(httpx.get(f"{running.address}metrics").text)
    finally:
        running.process.terminate()
        said.extend(running.process.communicate(timeout=20))
        running.kill()
        if yard.closed:
            yard.start()
    assert running.process.returncode == 0
    text = "".join(said)
    assert "It is opened again in" in text
    assert "hush" not in text and "keeper" not in text and str(yard.port) not in text
