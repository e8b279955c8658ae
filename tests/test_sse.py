"""What a viewer reads is what the standard says, and JSON that every browser parses."""

import base64
import dataclasses
import json

import numpy as np
import pytest

from inference import messages as m
from inference.frame_events import event_of
from inference.sse import encode

PREDICTION = m.PosePrediction(
    np.array([[1.23456789, 2.0], [30.5, 4.0]]),
    np.array([0.98765432, 0.2]),
    np.array([1, 0]),
    m.Instances(
        np.array([[[1.23456789, 2.0], [np.nan, np.nan]], [[30.5, 4.0], [5.0, 6.0]]]),
        np.array([[0.98765432, np.nan], [0.2, 0.25]]),
        np.array([0.98765432, 0.5]),
        np.array([1, -1]),
        np.array([0.75, np.nan]),
    ),
)
INFO = m.ModelInfo(
    ("a", "b"),
    ((0, 1),),
    ((0, 1),),
    ("female", "male"),
    many=True,
    layers=("confmaps",),
    engine="OpenVINO 1, float32",
)
RICH = m.Tracked(
    m.FrameResult(
        "run",
        7,
        dataclasses.replace(PREDICTION, layer=m.Layer(b"png", -2.0, -1.5, 384.0, 256.0)),
        PREDICTION,
        b"",
        {},
        0.0,
    ),
    INFO,
    (None, None),
    INFO,
    (0, 1),
)
LIVE = m.Tracked(
    m.FrameResult("run", 7, PREDICTION, None, b"", {}, 0.0, sequence=40),
    INFO,
    (None, None),
    live=m.LiveFrame(1.7e9, 120.5, 32),
)
VIDEO = m.Opened("run", 640, 480, 29.97, None)


def parse(block: bytes):
    fields = dict(line.split(": ", 1) for line in block.decode().strip().split("\n"))
    return fields.get("event"), fields.get("id"), json.loads(fields["data"])


def test_a_frame_is_an_unnamed_message_with_its_index_as_id():
    result = m.FrameResult("run", 7, PREDICTION, None, b"jpeg", {"decode": 0.5}, 0.0)
    event, number, data = parse(event_of(m.Tracked(result, INFO, (3, None))))
    assert (event, number) == (None, "7")
    assert data == {
        "frame_idx": 7,
        "img": "data:image/jpeg;base64," + base64.b64encode(b"jpeg").decode(),
        "peak_points": [[1.2346, 2.0], [30.5, 4.0]],
        "peak_vals": [0.987654, 0.2],
        "peak_nodes": [1, 0],
        "instances": [
            {"points": [[1.2346, 2.0, 0.987654], None], "score": 0.987654, "track": 3, "class": "male"},
            {"points": [[30.5, 4.0, 0.2], [5.0, 6.0, 0.25]], "score": 0.5, "track": None, "class": None},
        ],
        "timing": {"decode": 0.5},
    }


def test_a_frame_brings_what_was_asked_for_beside_it():
    _, _, data = parse(event_of(RICH))
    assert "img" not in data  # none was made
    png = "data:image/png;base64," + base64.b64encode(b"png").decode()
    assert data["maps"] == {"img": png, "x": -2.0, "y": -1.5, "width": 384.0, "height": 256.0}
    assert set(data["compare"]) == {"peak_points", "peak_vals", "peak_nodes", "instances"}
    assert [one["track"] for one in data["compare"]["instances"]] == [0, 1]


def test_a_live_frame_says_when_it_was_captured_and_what_was_dropped():
    _, number, data = parse(event_of(LIVE))
    assert number == "7"
    assert data["live"] == {"captured": 1.7e9, "delay_ms": 120.5, "dropped": 32}


START = {
    "run_id": "run",
    "video_name": "v.mp4",
    "model_name": "c + d",
    "model_names": ["c", "d"],
    "width": 640,
    "height": 480,
    "fps": 29.97,
    "n_frames": None,
    "nodes": ["a", "b"],
    "edges": [[0, 1]],
    "symmetries": [[0, 1]],
    "classes": ["female", "male"],
    "many": True,
    "layers": ["confmaps"],
    "engine": "OpenVINO 1, float32",
    "threshold": 0.25,
    "tracking": "flow",
    "recorded": True,
    "live": False,
    "compare": None,
}
RUN = m.RunStarted(
    "run", "v.mp4", ("c", "d"), VIDEO, INFO, m.PoseOptions(0.25), m.TrackingOptions("flow"), recorded=True
)
EVENTS = [
    (RUN, "start", None, START),
    (m.RunStatus("loading", "Wait."), "status", None, {"state": "loading", "message": "Wait."}),
    (m.Failed("run", 3, "bad"), "failure", "3", {"frame_idx": 3, "message": "bad"}),
    (m.RunFailed("over\nand out"), "failure", None, {"frame_idx": None, "message": "over\nand out"}),
    (m.RunDone(12), "done", None, {"frames": 12}),
]


@pytest.mark.parametrize(("event", "name", "number", "data"), EVENTS, ids=[row[1] for row in EVENTS])
def test_every_other_event_has_a_name(event, name, number, data):
    assert parse(event_of(event)) == (name, number, data)


def test_an_event_is_one_block_whatever_its_text():
    block = encode({"message": "a\n\nb\r\ndata: c"}, "failure")
    assert block.count(b"\n\n") == 1 and block.endswith(b"\n\n") and b"\r" not in block


def test_what_is_not_finite_is_null():
    nan, inf = np.nan, np.inf
    points = np.array([[1.0, 2.0], [nan, 2.0], [1.0, -inf], [3.0, 4.0]])
    values = np.array([0.9, 0.8, 0.7, inf])
    animals = m.Instances(
        points.reshape(2, 2, 2),
        values.reshape(2, 2),
        np.array([nan, inf]),
        np.array([-1, -1]),
        np.full(2, nan),
    )
    prediction = m.PosePrediction(points, values, np.zeros(4, np.int64), animals)
    result = m.FrameResult("run", 7, prediction, prediction, b"", {}, 0.0)
    _, _, data = parse(event_of(m.Tracked(result, INFO, (None, None), INFO, (None, None))))
    for pose in (data, data["compare"]):
        assert pose["peak_points"] == [[1.0, 2.0], None, None, [3.0, 4.0]]
        assert pose["peak_vals"] == [0.9, 0.8, 0.7, None]
        assert [one["points"] for one in pose["instances"]] == [
            [[1.0, 2.0, 0.9], None],
            [None, [3.0, 4.0, None]],
        ]
        assert [one["score"] for one in pose["instances"]] == [None, None]


def test_a_nan_never_reaches_a_browser():
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"x": float("nan")})
