"""How much anybody may send or hold: bodies, headers, parameters, and streams."""

import os
import resource
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from inference.web.guard import SMALL
from tests.kit import holdings, raw
from tests.kit.waiting import wait_until
from tests.server.guarded import TOKEN, guarded
from tests.server.test_stream import hold, open_stream

QUERY = {"video_name": "a.avi", "model_name": "m.number", "stop": 1}
BEARER = f"Authorization: Bearer {TOKEN}"
VIDEO = "Content-Type: application/octet-stream"
AT_ONCE, SERVED = 200, 4
ROUNDS = 9
"""So often at least the pages are asked for beside them."""
UPLOAD = 1_000_000
"""Bytes that a video may have."""


@pytest.fixture(scope="module")
def door(site):
    """A server that asks for a token."""
    with guarded(site) as server:
        yield server


@pytest.fixture(scope="module")
def small(site):
    """A server without a login that serves few streams."""
    wait_until(lambda: site.pipeline.health().status == "ready", 60)
    with guarded(site, token=None, max_streams=SERVED) as server:
        yield server


@pytest.fixture
def held():
    """Connections of a test, which leave with it."""
    connections = []
    yield connections
    leave(connections)


def leave(connections):
    while connections:
        connections.pop().close()


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("POST /videos?name=a.mp4", [VIDEO], 401),
        ("POST /videos?name=a.mp4", [VIDEO, f"{BEARER}x"], 401),
        ("POST /videos?name=a.mp4", [VIDEO, BEARER, "Origin: https://evil.example"], 403),
        ("POST /videos?name=a.mp4", [VIDEO, BEARER], 413),
        ("POST /login", ["Content-Type: application/json"], 413),
        ("POST /runs", [BEARER], 413),
        ("GET /", [BEARER], 413),
    ],
)
@pytest.mark.parametrize("form", ["length", "length, expected", "chunks"])
def test_a_body_that_may_not_come_is_refused_before_it_is_read(
    site, door, request_line, headers, status, form
):
    wait_until(lambda: site.pipeline.active_runs == 0, 10)
    before = holdings.hidden(os.getpid())
    with raw.connect(door.address) as connection:
        lines = [f"{request_line} HTTP/1.1", "Host: localhost", *headers]
        lines += ["Transfer-Encoding: chunked"] if form == "chunks" else [f"Content-Length: {1 << 30}"]
        lines += ["Expect: 100-continue"] if "expected" in form else []
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        if form == "chunks":
            may_come = headers == [VIDEO, BEARER]
            connection.sendall(b"7fffffff\r\n" + b"x" * (UPLOAD if may_come else SMALL))
        answer = raw.answer_on(connection)
        assert answer.status == status
        assert status != 413 or "KB" in answer.error or "MB" in answer.error
        assert answer.headers["connection"] == "close"
        assert connection.recv(1) == b""
    assert holdings.hidden(os.getpid()) <= before


def test_a_video_from_somebody_who_may_come_in_is_taken(door):
    body = os.urandom(SMALL * 3)
    response = httpx.post(
        f"{door.address}videos", params={"name": "sent.mp4"}, content=body,
        headers={"Content-Type": "application/octet-stream", "Authorization": f"Bearer {TOKEN}"},
    )  # fmt: skip
    assert response.status_code == 201
    kept = door.folder / response.json()["video_name"]
    assert kept.read_bytes() == body
    kept.unlink()


def test_what_comes_behind_a_refused_body_is_no_request(door):
    """The rest of a body that is not read must not be taken for the next request."""
    smuggled = b"DELETE /runs/abcdefgh HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with raw.connect(door.address) as connection:
        connection.sendall(
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + smuggled
        )
        said = b""
        while part := connection.recv(65536):
            said += part
    assert said.startswith(b"HTTP/1.1 413 ")
    assert said.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/runs?x=" + "x" * 1000, 200),
        ("/runs?x=" + "x" * 1001, 400),
        ("/runs?" + "x" * 1001, 400),
        ("/generate_predictions?video_name=" + "%20" * 1001, 400),
        ("/runs?" + "&".join("x=1" for _ in range(100)), 200),
        ("/runs?" + "&".join("x=1" for _ in range(101)), 400),
        ("/runs?x=" + "x" * 17_000, 431),
        ("/" + "x" * 17_000, 431),
        ("/" + "x" * 15_000, 404),
    ],
)
def test_addresses_and_parameters_have_a_length(small, path, status):
    answer = raw.get(small.address, path)
    assert answer.status == status
    if status >= 400:
        assert len(answer.error) < 300


def ask(address, start):
    """Ask for a stream at the moment of all others; gives its connection, left open, and the status."""
    connection = raw.connect(address)
    start.wait()
    path = f"/generate_predictions?{httpx.QueryParams({**QUERY, 'video_name': 'long.mp4', 'stop': 2000})}"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    status = int(connection.recv(12, socket.MSG_WAITALL).split()[1])
    return connection, status


def test_of_many_streams_at_once_as_many_are_served_as_may_be(site, small, held):
    wait_until(lambda: site.pipeline.active_runs == 0, 10)
    start, waits = threading.Barrier(AT_ONCE + 1), []
    with ThreadPoolExecutor(AT_ONCE) as viewers:
        asked = [viewers.submit(ask, small.address, start) for _ in range(AT_ONCE)]
        start.wait()
        while not all(one.done() for one in asked) or len(waits) < ROUNDS:
            began = time.monotonic()
            for path in ("", "healthz"):
                assert httpx.get(small.address + path, timeout=20).status_code == 200
            waits.append(time.monotonic() - began)
        answers = [one.result() for one in asked]
    held.extend(connection for connection, _ in answers)
    served = [connection for connection, status in answers if status == 200]
    refused = [connection for connection, status in answers if status == 503]
    assert (len(served), len(refused)) == (SERVED, AT_ONCE - SERVED)
    # whoever had to wait for a stream would wait for ever: nobody reads them
    assert sorted(waits)[len(waits) // 2] < 2
    check_refusal(refused[0])
    for connection in refused:
        while connection.recv(65536):
            pass  # each was closed behind its answer
    for connection in served:
        wait_until(lambda: b"frame_idx" in connection.recv(1 << 20, socket.MSG_PEEK), 20)  # noqa: B023
    leave(held)
    wait_until(lambda: hold(small, held) == SERVED, 10)
    leave(held)
    wait_until(lambda: status_of_one_more(small) == 200, 10)


def status_of_one_more(server):
    return httpx.get(f"{server.address}generate_predictions", params=QUERY).status_code


def check_refusal(connection):
    head, _, body = connection.recv(65536).decode().partition("\r\n\r\n")
    assert "Retry-After: " in head and "Connection: close" in head
    assert "--max-streams" in body


@pytest.mark.parametrize("how", ["head", "no such model", "left before the first event", "wrong run"])
def test_a_place_is_given_back_however_a_request_ends(site, small, held, how):
    (site.folder / "late.slow").write_text(f"setup=1 seconds=0.1 at={time.monotonic()}")
    for _ in range(SERVED + 1):
        if how == "head":
            assert httpx.head(f"{small.address}generate_predictions", params=QUERY).status_code == 200
        elif how == "no such model":
            query = {**QUERY, "model_name": "none"}
            assert httpx.get(f"{small.address}generate_predictions", params=query).status_code == 404
        elif how == "wrong run":
            for video in ("a.avi", "long.mp4"):
                query = {**QUERY, "video_name": video, "run_id": "places-1"}
                status = httpx.get(f"{small.address}generate_predictions", params=query).status_code
            assert status == 409
        else:
            open_stream(small, video_name="a.avi", model_name="late.slow").close()
    wait_until(lambda: hold(small, held) == SERVED, 10)
    assert status_of_one_more(small) == 503
    leave(held)
    wait_until(lambda: status_of_one_more(small) == 200, 10)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is the system's own elsewhere")
def test_there_are_file_descriptors_for_all_connections(small):
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 2048


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 60, id="many at once"),
        pytest.param(
            b"GET /plotly.min.js HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-\r\n\r\n",
            id="a part of a file",
        ),
    ],
)
def test_who_asks_and_never_reads_holds_no_thread(small, held, asked):
    for _ in range(SERVED + 20):
        held.append(raw.connect(small.address))
        with suppress(OSError):  # it may be let go of in the middle
            held[-1].sendall(asked)
    for _ in range(5):
        assert httpx.get(f"{small.address}get_available_videos", timeout=20).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        "GET http://[::1/limits HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"POST /videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: {'9' * 5000}\r\n\r\n",
        f"POST /videos HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{'0' * 5000}",
    ],
    ids=["address", "length", "chunk"],
)
def test_what_no_number_and_no_address_is_gets_an_answer(small, head):
    with raw.connect(small.address) as connection:
        connection.sendall(head.encode())
        answer = raw.answer_on(connection)
    assert answer.status == 400 and "not valid HTTP" in answer.error
