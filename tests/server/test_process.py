"""`python app.py`: how it starts, answers, and ends."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import numpy as np
import psutil
import pytest

from inference.settings import HERE
from tests.kit import barcode
from tests.kit.program import Program
from tests.kit.waiting import wait_until, wait_until_gone

FLASK = "markupsafe"
"""A compiled part of Flask, which loads it at once; Flask itself is Python, and stands in no memory map."""


def compiled(process):
    """Names of the packages whose compiled parts a process has loaded."""
    paths = [mapped.path for mapped in process.memory_maps() if "/site-packages/" in mapped.path]
    return {path.rpartition("/site-packages/")[2].partition("/")[0] for path in paths}


@pytest.fixture
def program(tmp_path):
    """Starts the program on an empty folder, at a free port unless one is given."""
    started = []

    def start(*arguments):
        folders = ["--data", str(tmp_path), "--models", str(tmp_path)]
        port = [] if "--port" in arguments else ["--port", "0"]
        started.append(Program(*folders, *port, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["starting", "ready"])
def test_a_signal_ends_every_process_within_5_seconds_with_status_0(program, number, moment):
    running = program("-n_servers", "2")
    if moment == "ready":
        running.wait_until_ready()
    family = running.family()
    assert len(family) >= 4
    began = time.monotonic()
    # To the whole group, as a terminal does on Ctrl-C.
    os.killpg(running.process.pid, number) if number == signal.SIGINT else running.process.send_signal(number)
    out, err = running.process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert running.process.returncode == 0
    assert (out, err) == ("", "")
    wait_until_gone(family, 1)


def test_a_stop_ends_streams_with_a_last_word(program, tmp_path):
    (tmp_path / "best_model.h5").write_text("no model")
    barcode.write(tmp_path / "a.avi", 5)
    running = program("-n_servers", "1")
    texts = []

    def view():
        query = {"video_name": "a.avi", "heartbeat": 0.2}
        with httpx.stream("GET", f"{running.address}generate_predictions", params=query) as response:
            texts.extend(response.iter_text())

    viewer = threading.Thread(target=view)
    viewer.start()
    wait_until(lambda: "event: status" in "".join(texts), 30)
    running.process.terminate()
    viewer.join(5)
    assert not viewer.is_alive()
    assert "event: failure" in "".join(texts)
    assert running.process.wait(5) == 0


def test_no_process_is_left_when_the_program_is_killed(program):
    running = program("-n_servers", "2")
    family = running.family()
    running.process.kill()
    wait_until_gone(family, 10)


def test_the_page_answers_soon_and_each_process_has_only_libraries_of_its_own(program):
    for _ in range(3):  # another program may have the cores in one
        running = program()
        if running.answered_after < 2:
            break
        running.kill()
    else:  # a slow machine takes some 7 s and more for TensorFlow alone
        running = program()
        assert running.answered_after < max(2, 0.3 * seconds_of("import tensorflow"))
    running.wait_until_ready()
    web, *children = running.family()
    assert {FLASK, "zmq"} <= compiled(web)
    assert not {"tensorflow", "openvino", "cv2"} & compiled(web)
    wait_until(lambda: {"zmq", "cv2"} <= set().union(*map(compiled, children)), 10)
    assert not {FLASK, "tensorflow"} & set().union(*map(compiled, children))


def seconds_of(code):
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return time.monotonic() - began


@pytest.mark.parametrize("flag", ["--port", "-producer_send_port", "-consumer_send_port"])
def test_a_busy_port_is_one_line_that_names_port_and_flag_and_status_2(program, flag):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = program(flag, str(port))
        out, err = running.process.communicate(timeout=20)
    assert running.process.returncode == 2
    assert (running.greeting, out) == ("", "")
    assert len(err.splitlines()) == 1
    assert flag in err
    assert str(port) in err


def test_two_programs_run_beside_each_other(program):
    one, other = program("-n_servers", "1"), program("-n_servers", "1")
    assert one.address != other.address
    one.wait_until_ready()
    other.wait_until_ready()


def test_empty_folders_are_empty_lists(program):
    running = program("-n_servers", "1")
    for which in ("videos", "models"):
        assert httpx.get(f"{running.address}get_available_{which}").json() == []


def test_a_port_is_one_programs_alone_from_the_first_moment(program):
    one = program("-n_servers", "1")
    port = one.address.rstrip("/").rpartition(":")[2]
    other = program("-n_servers", "1", "--port", port)
    _, err = other.process.communicate(timeout=20)
    assert other.process.returncode == 2
    assert len(err.splitlines()) == 1
    assert httpx.get(one.address).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_anything_is_started_is_no_error_either(number):
    process = subprocess.Popen(
        [sys.executable, str(HERE / "app.py"), "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    own = psutil.Process(process.pid)
    # It imports its libraries now, and has set its handlers before.
    wait_until(lambda: FLASK in compiled(own), 10)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")


def test_a_run_goes_on_after_the_program_was_killed(program, tmp_path):
    for name in ("best_model.h5", "best_model.json"):
        (tmp_path / name).write_bytes((HERE / "models" / name).read_bytes())
    (tmp_path / "a.mp4").write_bytes((HERE / "data" / "flies.mp4").read_bytes())
    query = {"video_name": "a.mp4", "stop": 60, "width": 32}
    runs = ("--runs", str(tmp_path / "runs"), "-n_servers", "1")

    def export(running, run_id):
        address = f"{running.address}runs/{run_id}/export"
        return httpx.get(address, params={"format": "csv"}, timeout=60).text

    first = program(*runs)
    httpx.get(f"{first.address}generate_predictions", params={**query, "run_id": "undisturbed"}, timeout=100)
    seen = 0
    with httpx.stream(
        "GET", f"{first.address}generate_predictions", params={**query, "run_id": "cut-in-two"}, timeout=100
    ) as response:
        for line in response.iter_lines():
            seen = int(line.removeprefix("id: ")) if line.startswith("id: ") else seen
            if seen == 24:
                break
        os.killpg(first.process.pid, signal.SIGKILL)
    again = program(*runs)
    listed = {run["run_id"]: run["frames"] for run in httpx.get(f"{again.address}runs").json()}
    assert listed["undisturbed"] == 60 and 25 <= listed["cut-in-two"] < 60
    httpx.get(
        f"{again.address}generate_predictions", params={**query, "run_id": "cut-in-two"},
        headers={"Last-Event-ID": str(seen)}, timeout=100,
    )  # fmt: skip
    whole, cut = export(again, "undisturbed"), export(again, "cut-in-two")
    assert [row.split(",")[:2] for row in cut.splitlines()] == [
        row.split(",")[:2] for row in whole.splitlines()
    ]
    numbers = [
        [float(cell or "nan") for row in text.splitlines()[1:] for cell in row.split(",")[1:]]
        for text in (whole, cut)
    ]
    np.testing.assert_allclose(*numbers, atol=1e-3)
    assert len({row.split(",")[0] for row in cut.splitlines()[1:]}) == 4  # flies, each the same all along
