"""The stream as any client of server-sent events reads it, over a real socket."""

import base64
import json
import re
import socket
import threading
import time
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import pytest

from tests.kit import barcode
from tests.kit.waiting import wait_until, wait_until_still

QUERY = {"video_name": "a.avi", "model_name": "m.number"}


def frames_of(events):
    return [data for name, _, data in events if name == "message"]


def without_status(events):
    return [event for event in events if event[0] != "status"]


def test_a_whole_stream(site):
    events = without_status(site.stream(**QUERY))
    assert [name for name, _, _ in events] == ["start", *["message"] * 100, "done"]
    start, frames, done = events[0][2], frames_of(events), events[-1][2]
    assert set(start) == {
        *("run_id", "video_name", "model_name", "width", "height", "fps", "n_frames", "nodes", "edges"),
        *("model_names", "symmetries", "classes", "many", "layers", "threshold", "tracking", "recorded"),
        *("compare", "live", "engine"),
    }
    assert (start["width"], start["height"], start["n_frames"], start["nodes"]) == (128, 96, 100, ["number"])
    assert [frame["frame_idx"] for frame in frames] == list(range(100))
    assert [number for _, number, _ in events[1:-1]] == [str(index) for index in range(100)]
    assert [frame["peak_points"][0][0] for frame in frames] == list(range(100))
    assert done == {"frames": 100}


def test_a_frame_message_has_the_picture_the_points_and_the_times(site):
    (frame,) = frames_of(site.stream(**QUERY, start=42, stop=43))
    assert set(frame) == {
        *("frame_idx", "img", "peak_points", "peak_vals", "peak_nodes", "instances", "timing")
    }
    head, _, body = frame["img"].partition(",")
    assert head == "data:image/jpeg;base64"
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(body), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert barcode.read(picture) == 42
    assert frame["peak_vals"] == [1.0]
    assert frame["peak_nodes"] == [0]
    assert {"decode", "queue", "preprocess", "jpeg"} <= set(frame["timing"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"start": 10, "stop": 12}, [10, 11]),
        ({"start": 99}, [99]),
        ({"start": 100}, []),
        ({"stop": 0}, []),
        ({"last_event_id": 97}, [98, 99]),
        ({"last_event_id": 97, "start": 5, "stop": 99}, [98]),
        ({"last_event_id": 99}, []),
    ],
)
def test_which_frames_are_sent(site, query, expected):
    events = without_status(site.stream(**QUERY, **query))
    assert [frame["frame_idx"] for frame in frames_of(events)] == expected
    assert events[0][0] == "start"
    assert events[-1] == ("done", events[-1][1], {"frames": len(expected)})


def test_points_are_in_the_videos_pixels_whatever_the_width(site):
    (frame,) = frames_of(site.stream(**QUERY, start=42, stop=43, width=32))
    picture = cv2.imdecode(
        np.frombuffer(base64.b64decode(frame["img"].partition(",")[2]), np.uint8), cv2.IMREAD_COLOR
    )
    assert picture.shape[:2] == (24, 32)
    assert frame["peak_points"][0][0] == 42


def test_a_bad_frame_is_one_failure_and_the_stream_goes_on(site):
    events = without_status(site.stream(video_name="a.avi", model_name="bad.fails_in_predict", stop=10))
    assert [name for name, _, _ in events] == ["start", *["message"] * 5, "failure", *["message"] * 4, "done"]
    _, number, data = events[6]
    assert (number, data["frame_idx"]) == ("5", 5)
    assert "secret" not in data["message"]
    assert events[-1][2] == {"frames": 9}


def test_what_ends_the_run_is_a_failure_without_a_frame_and_no_done(site):
    (site.folder / "text.mp4").write_text("text")
    for query in ({"video_name": "text.mp4"}, {"model_name": "none.fails_in_setup"}):
        events = without_status(site.stream(**{**QUERY, **query}))
        assert [name for name, _, _ in events] == ["failure"]
        assert events[0][2]["frame_idx"] is None
        assert events[0][2]["message"]


def test_a_loading_model_is_told_and_kept_alive_by_heartbeats(site):
    (site.folder / "late.slow").write_text(f"setup=3 seconds=0.2 at={time.monotonic()}")
    query = {"video_name": "a.avi", "model_name": "late.slow", "stop": 1, "heartbeat": 0.3}
    with httpx.stream("GET", f"{site.address}generate_predictions", params=query, timeout=30) as response:
        text = "".join(response.iter_text())
    assert text.count("event: status") >= 1
    assert text.count("\n: ") >= 5
    assert text.index("event: status") < text.index("event: start") < text.index("id: 0") < text.index("done")


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({}, 400, "video_name"),
        ({"video_name": "a.avi", "start": "x"}, 400, "start"),
        ({"video_name": "a.avi", "threshold": "nan"}, 400, "threshold"),
        ({"video_name": "nope.mp4"}, 404, "nope.mp4"),
        ({"video_name": "a.avi"}, 404, "best_model.h5"),
        ({"video_name": "../a.avi", "model_name": "m.number"}, 404, "video"),
        ({"video_name": "/etc/passwd", "model_name": "m.number"}, 404, "video"),
        ({"video_name": "a.avi\0", "model_name": "m.number"}, 404, "video"),
        ({"video_name": "a.avi", "model_name": "../../m.number"}, 404, "model"),
    ],
)
def test_errors_before_the_stream_are_json_sentences(site, query, status, said):
    response = httpx.get(f"{site.address}generate_predictions", params=query)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    assert said in response.json()["error"]


OUTSIDE = ["%2e%2e/app.py", "..%2fapp.py", "static/../app.py", "static/%2e%2e/app.py", "no"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_other_path_is_served(site, path):
    response = httpx.get(site.address + path)
    assert response.status_code == 404
    assert set(response.json()) == {"error"}


def test_a_last_event_id_that_is_no_number_is_refused(site):
    response = httpx.get(
        f"{site.address}generate_predictions", params=QUERY, headers={"Last-Event-ID": "last"}
    )
    assert response.status_code == 400
    assert "Last-Event-ID" in response.json()["error"]


def open_stream(site, **query):
    """A bare connection that has asked for a stream, so that a test decides when it is read."""
    connection = socket.create_connection((urlsplit(site.address).hostname, urlsplit(site.address).port))
    path = str(httpx.URL("/generate_predictions", params=query))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return connection


def hold(server, held):
    """Open a stream if one more is served; how many are held."""
    connection = open_stream(server, video_name="long.mp4", model_name="m.number")
    is_served = connection.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
    held.append(connection) if is_served else connection.close()
    return len(held)


def wait_for_runs(site, count, patience):
    return wait_until(lambda: site.pipeline.active_runs == count, patience)


@pytest.mark.parametrize("moment", ["playing", "never reading", "loading", "slowly"])
def test_leaving_ends_the_run_within_a_second(site, moment):
    wait_for_runs(site, 0, 10)
    before = predicted(site)
    model = "late.slow" if moment in ("loading", "slowly") else "m.number"
    if moment == "loading":
        (site.folder / model).write_text(f"setup=3 seconds=0.2 at={time.monotonic()}")
    connection = open_stream(site, video_name="long.mp4", model_name=model)
    wait_for_runs(site, 1, 10)
    if moment == "playing":
        for _ in range(20):
            assert connection.recv(10_000)
    if moment == "slowly":
        while b"frame_idx" not in connection.recv(10_000):
            pass
    if moment == "never reading":
        # every buffer on the way to a viewer that does not read is full
        wait_until(lambda: predicted(site) > before, 30)
        wait_until_still(lambda: predicted(site))
    connection.close()
    assert wait_for_runs(site, 0, 5) < 1


def predicted(site):
    """How many frames have been predicted."""
    found = re.search(rb'frames_total{outcome="predicted"} (.*)', site.pipeline.metrics.text())
    return float(found[1])


def test_twenty_streams_at_once_leave_the_page_quick_and_each_is_whole(site):
    results = []
    viewers = [
        threading.Thread(target=lambda: results.append(site.stream(**QUERY, width=64))) for _ in range(20)
    ]
    for viewer in viewers:
        viewer.start()
    waits = []
    while any(viewer.is_alive() for viewer in viewers):
        began = time.monotonic()
        assert httpx.get(site.address).status_code == 200
        waits.append(time.monotonic() - began)
    assert len(results) == 20
    assert all([frame["frame_idx"] for frame in frames_of(events)] == list(range(100)) for events in results)
    assert sorted(waits)[len(waits) // 2] < 1


def test_a_stream_is_never_cached_and_says_its_type(site):
    with httpx.stream("GET", f"{site.address}generate_predictions", params={**QUERY, "stop": 1}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        assert "event: done" in "".join(response.iter_text())


def test_a_head_request_starts_no_run(site):
    wait_for_runs(site, 0, 10)
    response = httpx.head(f"{site.address}generate_predictions", params=QUERY)
    assert response.status_code == 200
    assert site.pipeline.active_runs == 0


def test_lists_health_and_metrics(site):
    wait_until(lambda: site.pipeline.health().status == "ready", 60)
    assert httpx.get(f"{site.address}get_available_videos").json() == sorted(
        path.name for path in site.folder.iterdir() if path.suffix in (".avi", ".mp4")
    )
    assert "m.number" in httpx.get(f"{site.address}get_available_models").json()
    health = httpx.get(f"{site.address}healthz")
    assert health.status_code == 200
    assert {key: health.json()[key] for key in ("status", "workers")} == {"status": "ready", "workers": 2}
    assert set(health.json()) == {"status", "reason", "workers", "models"}
    metrics = httpx.get(f"{site.address}metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    for name in ("frames_total", "runs_active", "workers_ready", "worker_restarts_total", "stage_seconds"):
        assert f"inference_{name}" in metrics.text


def test_the_page_and_what_it_needs_come_from_here(site):
    assert httpx.get(site.address).headers["content-type"].startswith("text/html")
    script = httpx.get(f"{site.address}plotly.min.js")
    assert script.status_code == 200
    assert b"Plotly" in script.content
    assert "max-age" in script.headers["cache-control"]
    assert json.loads(httpx.get(f"{site.address}nope").text)["error"]


def test_more_streams_than_are_served_are_told_to_come_back(site):
    wait_for_runs(site, 0, 10)
    connections = []
    wait_until(lambda: hold(site, connections) == 64, 30)
    wait_for_runs(site, 64, 30)
    response = httpx.get(f"{site.address}generate_predictions", params=QUERY)
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert "64 streams" in response.json()["error"]
    assert httpx.get(site.address, timeout=5).status_code == 200
    for connection in connections:
        connection.close()
    wait_for_runs(site, 0, 10)


def test_an_error_that_nobody_foresaw_ends_the_stream_with_a_sentence(site):
    events = site.stream(video_name="a.avi", model_name="nonsense.gives_nonsense")
    (name, _, data) = without_status(events)[-1]
    assert (name, data["frame_idx"]) == ("failure", None)
    assert data["message"]


@pytest.mark.parametrize("tracking", ["simple", "flow"])
def test_what_is_not_finite_is_null_and_the_run_goes_on(site, tracking):
    run = f"not-finite-{tracking}"
    events = site.stream(
        video_name="a.avi", model_name="nan.gives_nan", tracking=tracking, run_id=run, floor=0
    )
    assert events[-1][2] == {"frames": 100}
    frames = [data for name, _, data in events if name == "message"]
    for frame in frames:
        assert frame["peak_points"] == [[frame["frame_idx"], 0], None, None, [2, 3]]
        assert frame["peak_vals"] == [1, 0.5, None, None]
        assert [one["points"] for one in frame["instances"]] == [
            *([[frame["frame_idx"], 0, 1]], [None], [None], [[2, 3, None]])
        ]
        assert [one["score"] for one in frame["instances"]] == [1, None, None, None]
    recorded = httpx.get(f"{site.address}runs/{run}/export", params={"format": "csv"}, timeout=60)
    assert recorded.status_code == 200 and "inf" not in recorded.text and "nan" not in recorded.text
    assert len(recorded.text.splitlines()) == 401
