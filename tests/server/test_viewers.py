"""Viewers that misbehave: cut off again and again, not reading, or far too slowly. Others do not notice."""

import json
import random
import socket
import struct
import threading
import time
from urllib.parse import urlencode, urlsplit

import httpx
import psutil
import pytest

from tests.kit import barcode, holdings
from tests.kit.program import Program
from tests.kit.waiting import wait_until, wait_until_still

CUT = {"run_id": "cut-50-times", "width": 64}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program with the kit's models, in processes of its own."""
    folder = tmp_path_factory.mktemp("viewers")
    barcode.write(folder / "long.mp4", 2000, width=256, height=256)
    (folder / "m.number").touch()
    (folder / "steady.slow").write_text("seconds=0.1")
    flags = ["--data", str(folder), "--models", str(folder), "--port", "0", "-n_servers", "2"]
    running = Program(*flags, module="tests.kit.kit_app")
    running.wait_until_ready()
    yield running
    running.kill()


def ask(program, headers="", **query):
    """A bare connection that has asked for a stream; what is read of it, and when, is the test's choice."""
    url = urlsplit(program.address)
    connection = socket.create_connection((url.hostname, url.port), timeout=30)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    path = "/generate_predictions?" + urlencode({"video_name": "long.mp4", "model_name": "m.number", **query})
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
    return connection


@pytest.fixture
def viewer_that_never_reads(program):
    """Opens streams that nobody reads, and has them stalled; closes them in the end."""
    opened = []

    def begin(count):
        before = predicted(program)
        opened.extend(ask(program) for _ in range(count))
        wait_until(lambda: metric(program, "inference_runs_active") >= count, 30)
        wait_until(lambda: predicted(program) >= before + count, 30)
        wait_until_still(lambda: predicted(program))

    yield begin
    for connection in opened:
        connection.close()


@pytest.fixture
def viewer_that_reads_a_byte_a_second(program):
    """Opens such a stream, and closes it in the end."""
    over, connection = threading.Event(), ask(program)

    def read():
        while not over.wait(1):
            connection.recv(1)

    reader = threading.Thread(target=read)
    reader.start()
    yield
    over.set()
    reader.join()
    connection.close()


def metric(program, name):
    lines = httpx.get(f"{program.address}metrics").text.splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def predicted(program):
    return metric(program, 'inference_frames_total{outcome="predicted"}')


def decoded(program):
    """Processor time of the producer, in s."""
    spawned = [child for child in program.family()[1:] if "spawn_main" in " ".join(child.cmdline())]
    times = min(spawned, key=lambda child: child.create_time()).cpu_times()
    return times.user + times.system


def events_in(text):
    """The frames whose events are whole in a part of a stream: (id, data)."""
    frames = []
    for event in text.split(b"\n\n")[:-1]:
        fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
        if b"id" in fields and b"event" not in fields:
            frames.append((int(fields[b"id"]), json.loads(fields[b"data"])))
    return frames


def cut_off(program, chance, last):
    """Read on behind frame `last`, and cut the connection somewhere, politely or not; what came."""
    connection = ask(program, f"Last-Event-ID: {last}\r\n" if last >= 0 else "", **CUT)
    text, most = b"", chance.randrange(1, 100_000)
    while len(text) < most and (chunk := connection.recv(min(65536, most - len(text)))):
        text += chunk
    if chance.random() < 0.5:  # a reset instead of a goodbye
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return text


def body_of(text):
    """The body of a response as far as it came, out of its chunks."""
    _, _, rest = text.partition(b"\r\n\r\n")
    body = b""
    while True:
        size, end, rest = rest.partition(b"\r\n")
        if not end or not size or int(size, 16) == 0:
            return body
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


def test_a_connection_cut_fifty_times_at_random_gives_every_frame_once(program):
    chance, frames, last, before = random.Random(50), [], -1, decoded(program)
    for _ in range(50):
        frames += events_in(body_of(cut_off(program, chance, last)))
        last = frames[-1][0] if frames else -1
    frames += events_in(whole(program, {"Last-Event-ID": str(last)}, **CUT))
    cost = decoded(program) - before
    assert [index for index, _ in frames] == list(range(2000))
    assert all(data["peak_points"][0][0] == index for index, data in frames)
    (run,) = (run for run in httpx.get(f"{program.address}runs").json() if run["run_id"] == CUT["run_id"])
    assert run["frames"] == 2000
    before = decoded(program)
    whole(program, {})
    # to decode from the start each time would have cost some 25 times the whole film
    assert cost < 8 * (decoded(program) - before)


def whole(program, headers, **query):
    query = {"video_name": "long.mp4", "model_name": "m.number", **query}
    address = f"{program.address}generate_predictions"
    return httpx.get(address, params=query, headers=headers, timeout=60).content


def rate(program):
    began = time.monotonic()
    query = {"video_name": "long.mp4", "model_name": "steady.slow", "stop": 120, "width": 32}
    assert httpx.get(f"{program.address}generate_predictions", params=query, timeout=60).status_code == 200
    return 120 / (time.monotonic() - began)


def test_viewers_that_do_not_read_hold_up_nobody(
    program, viewer_that_never_reads, viewer_that_reads_a_byte_a_second
):
    rate(program)  # loads the model
    alone = [rate(program) for _ in range(3)]
    viewer_that_never_reads(20)
    beside = [rate(program) for _ in range(3)]
    assert max(beside) > 0.9 * max(alone)  # the best of each: something else may have the cores in one


def test_viewers_that_do_not_read_cost_memory_once(
    program, viewer_that_never_reads, viewer_that_reads_a_byte_a_second
):
    viewer_that_never_reads(10)
    query = {"video_name": "long.mp4", "model_name": "m.number", "width": 64}
    httpx.get(f"{program.address}generate_predictions", params={**query, "stop": 500}, timeout=60)
    before = holdings.of(program.family())
    httpx.get(f"{program.address}generate_predictions", params=query, timeout=60)
    after = holdings.of(program.family())
    assert after.memory + after.hidden < 1.05 * (before.memory + before.hidden)


def test_all_that_left_is_given_back(program):
    wait_until(lambda: metric(program, "inference_runs_active") == 0, 5)
    wait_until(lambda: all(one.status() != psutil.STATUS_ZOMBIE for one in program.family()), 5)
