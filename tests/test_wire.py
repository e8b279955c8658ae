"""Messages to bytes and back: one table for both directions, and nothing else gets in."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import messages as m
from inference.errors import WireError
from inference.predictors.instances import none_found, of_points
from inference.wire import decode, encode

GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
PAIR = of_points(np.array([[[1.5, 2.25], [np.nan, np.nan]]]), np.array([[0.9, np.nan]]), np.array([0.9]))
LAYER = m.Layer(b"png", -2.0, -2.0, 384.0, 256.5)
PREDICTION = m.PosePrediction(
    np.array([[1.5, 2.25], [3.0, -0.5]]), np.array([0.9, 0.25]), np.array([0, 1]), PAIR, LAYER
)
NOTHING = m.PosePrediction(np.empty((0, 2)), np.empty(0), np.empty(0, np.int64), none_found(2))
FACTS = m.RunFacts(
    "run-1", 1e9, "v.mp4", "k", 4, 3, None, 9, ("m",), "m@1", m.ModelInfo(("a",)), m.PoseOptions(),
    m.TrackingOptions(), {"python": "3.11"},
)  # fmt: skip
MESSAGES = [
    m.OpenRun("r", "/data/ä.mp4", "m@1", "n@2", 5, None, 320, m.PoseOptions(0.2, 0.05)),
    m.OpenRun("r", "a.mp4", "m@1", None, 0, 9, None, m.PoseOptions()),
    m.BeginRun("r"),
    m.CloseRun("r"),
    m.Credit("r", 3),
    m.Resend(7, (4, 5), alone=True),
    m.Opened("r", 384, 256, 29.97, None),
    m.OpenRun("r", "camera:0", "m@1", None, 0, None, None, m.PoseOptions(), live=True),
    m.SourceStatus("r", "reconnecting", "camera:0 was lost."),
    m.EndOfStream("r", 12, "it breaks off"),
    m.Batch(
        1, "r", "m@1", "n@2", m.PoseOptions(), None, (4, 5), (0.5, 1.0), (10.0, 11.0), (GRAY, GRAY[::-1])
    ),
    m.Answer(
        7,
        "r",
        (
            m.Result("r", 4, PREDICTION, NOTHING, b"\xff\xd8jpeg", {"decode": 0.5}, 10.0),
            m.Failed("r", 5, "no"),
            m.Result("r", 6, NOTHING, None, b"", {}, 10.0),
        ),
    ),
    m.Load("m@1#2", "pose", ("/models/m.h5", "/models/n"), "m@1 + n@2"),
    FACTS,
    m.FrameRecord(3, PAIR, (0,)),
    m.FailureRecord(4, "no"),
    m.EndRecord(9),
    m.Loaded("m@1", m.ModelInfo(("head", "tail"), ((0, 1),))),
    m.Connect(m.Endpoint("tcp://a", "key"), m.Endpoint("tcp://b", "key")),
    m.Quit(),
]


def plain(value):
    """A message as something that `==` can compare."""
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, repr(value.tolist()))
    if hasattr(value, "__dataclass_fields__"):
        return (type(value), {name: plain(getattr(value, name)) for name in value.__dataclass_fields__})
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_decode_is_the_inverse_of_encode(message):
    parts = [bytes(part) for part in encode(message)]
    assert plain(decode(parts)) == plain(message)


def test_pixels_are_not_copied_on_either_side():
    frame = np.zeros((4, 5, 1), np.uint8)
    parts = encode(m.Batch(1, "r", "m", None, m.PoseOptions(), None, (0,), (0.0,), (0.0,), (frame,)))
    assert np.shares_memory(np.frombuffer(parts[1], np.uint8), frame)
    assert np.shares_memory(decode(parts).images[0], frame)


def header(**fields):
    return json.dumps(fields).encode()


CREDIT = {"@": "Credit", "run": "r", "frames": 1}
MALFORMED = {
    "no part": [],
    "empty": [b""],
    "no JSON": [b"\x80\x04K\x01."],
    "no object": [b"[1]"],
    "no class": [header(run="r")],
    "unknown class": [header(**{"@": "Evil"})],
    "class that is no message": [header(**{"@": "dataclass"})],
    "a field missing": [header(**{"@": "Credit", "run": "r"})],
    "a field too many": [header(**CREDIT, more=1)],
    "text for a number": [header(**{**CREDIT, "frames": "1"})],
    "a truth for a number": [header(**{**CREDIT, "frames": True})],
    "list for a text": [header(**{**CREDIT, "run": ["r"]})],
    "a part that is not there": [header(**{**CREDIT, "run": {"part": 1}})],
    "the header as a part": [header(**{**CREDIT, "run": {"part": 0}})],
    "array of objects": [
        header(**{**CREDIT, "run": {"part": 1, "dtype": "object", "shape": [1]}}),
        b"12345678",
    ],
    "array too short": [header(**{**CREDIT, "run": {"part": 1, "dtype": "uint8", "shape": [9]}}), b"1"],
    "negative shape": [header(**{**CREDIT, "run": {"part": 1, "dtype": "uint8", "shape": [-1, -1]}}), b"1"],
    "deep": [b"[" * 100_000],
    "no dict": [b'{"dict":[1]}'],
    "infinite shape": [
        b'{"@":"Credit","run":{"part":1,"dtype":"uint8","shape":[Infinity]},"frames":1}',
        b"1",
    ],
    "class that is no text": [header(**{"@": ["Credit"]})],
}


@pytest.mark.parametrize("parts", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_message_is_a_wire_error(parts):
    with pytest.raises(WireError):
        decode(parts)


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_any_bytes_are_a_wire_error(parts):
    with pytest.raises(WireError):
        decode(parts)


KEYS = st.sampled_from(["@", "dict", "part", "dtype", "shape", "run", "frames", "batch", "images"])
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["Credit", "Batch", "uint8"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, JSON, max_size=4), st.lists(st.binary(max_size=8), max_size=2))
def test_any_json_is_a_message_or_a_wire_error(said, parts):
    with contextlib.suppress(WireError):
        decode([json.dumps(said).encode(), *parts])
