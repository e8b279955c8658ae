"""Fewer bits, from the command line to the stream: what serves, what is refused, what is said."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

from tests.kit.program import Program

SERVED, REFUSED = "minimal_instance.UNet.bottomup", "min_tracks_2node.UNet.bottomup_multiclass"


@pytest.fixture(scope="module")
def program(shared_data, tmp_path_factory):
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor does not compute with 16 bits")
    sleap, cache = shared_data / "sleap", tmp_path_factory.mktemp("cache")
    folders = ["--data", str(sleap / "videos"), "--models", str(sleap / "models"), "--cache", str(cache)]
    program = Program("--port", "0", "-n_servers", "1", "--precision", "fast", *folders)
    try:
        program.wait_until_ready()
        yield program
    finally:
        program.kill()


def events(program: Program, video: str, model: str) -> list[tuple[str, dict[str, Any]]]:
    """All events of three frames, by name."""
    query = {"video_name": video, "model_name": model, "stop": 3}
    with (
        httpx.Client(base_url=program.address or "", timeout=120) as client,
        connect_sse(client, "GET", "/generate_predictions", params=query) as source,
    ):
        return [(event.event, json.loads(event.data)) for event in source.iter_sse()]


def test_a_model_is_checked_once_and_then_serves(program):
    first = events(program, "centered_pair_small.mp4", SERVED)
    steps = [event["message"] for name, event in first if name == "status"]
    assert any("checking it at fast on frames of centered_pair_small.mp4" in step for step in steps), steps
    (start,) = (event for name, event in first if name == "start")
    assert start["engine"].startswith("OpenVINO") and start["engine"].endswith("bfloat16")
    assert [len(event["instances"]) for name, event in first if name == "message"] == [2, 2, 2]

    again = events(program, "centered_pair_small.mp4", SERVED)
    assert [name for name, _ in again] == ["start", "message", "message", "message", "done"]


def test_a_model_that_does_not_agree_is_refused_and_the_next_is_served(program):
    *_, (name, event) = events(program, "clip.mp4", REFUSED)
    assert (name, event["frame_idx"]) == ("failure", None)
    assert f"{REFUSED} is not served at fast: half of the points are off by" in event["message"]
    assert "--precision exact" in event["message"]
    *_, (name, event) = events(program, "centered_pair_small.mp4", SERVED)
    assert (name, event) == ("done", {"frames": 3})


def test_the_sample_is_exact_unless_told_otherwise_and_converted_at_first(tmp_path):
    program = Program("--port", "0", "-n_servers", "1", "--cache", str(tmp_path))
    try:
        first = events(program, "flies.mp4", "best_model.h5")
        steps = [event["message"] for name, event in first if name == "status"]
        assert any("best_model.h5: converting it" in step for step in steps), steps
        (start,) = (event for name, event in first if name == "start")
        assert start["engine"].endswith("float32")
    finally:
        program.kill()
