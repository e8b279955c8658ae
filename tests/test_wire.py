"""Messages to bytes and back: one table for both directions, and nothing else gets in."""

import contextlib
import json
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference import messages as m
from inference.errors import WireError
from inference.wire import decode, encode, join, split
from tests.kit.drawn import KINDS, MESSAGES, of, plain


@settings(max_examples=400)
@given(MESSAGES)
def test_every_message_survives_the_wire(message):
    assert plain(decode([bytes(part) for part in encode(message)])) == plain(message)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=5)
@given(st.data())
def test_no_message_is_left_out(kind, data):
    message = data.draw(of(kind))
    assert plain(decode(encode(message))) == plain(message)


def test_pixels_are_not_copied_on_either_side():
    frame = np.zeros((4, 5, 1), np.uint8)
    parts = encode(m.Batch(1, "m", None, m.PoseOptions(), (m.FrameInput("r", 0, frame, None, 0.0, 0.0),)))
    assert np.shares_memory(np.frombuffer(parts[1], np.uint8), frame)
    assert np.shares_memory(decode(parts).inputs[0].image, frame)


def header(**fields):
    return json.dumps(fields).encode()


def array(dtype, shape):
    return header(**{**CREDIT, "run": {"part": 1, "dtype": dtype, "shape": shape}})


_DOT = m.FrameInput("r", 0, np.zeros(1, np.uint8), None, 0.0, 0.0)
PIXELS = bytes(encode(m.Batch(1, "m", None, m.PoseOptions(), (_DOT,)))[0])
CREDIT = {"@": "Credit", "run": "r", "items": 1}
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
    "text for a number": [header(**{**CREDIT, "items": "1"})],
    "a truth for a number": [header(**{**CREDIT, "items": True})],
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
        b'{"@":"Credit","run":{"part":1,"dtype":"uint8","shape":[Infinity]},"items":1}',
        b"1",
    ],
    "class that is no text": [header(**{"@": ["Credit"]})],
    "a number too large": [header(**{**CREDIT, "frames": 2**63})],
    "a shape of truths": [array("uint8", [True]), b"1"],
    "a shape of texts": [array("uint8", ["1"]), b"1"],
    "too many axes": [array("uint8", [1] * 5), b"1"],
    "an array of another type": [
        header(**{"@": "Failed", "run": "r", "frame": {"part": 1, "dtype": "uint8", "shape": [1]}}),
        b"1",
    ],
    "pixels of another type": [PIXELS.replace(b"uint8", b"int64"), b"12345678"],
    "a part that nobody names": [header(**CREDIT), b"1"],
    "a part that is named twice": [
        header(**{"@": "Layer", "png": {"part": 1}, "left": {"part": 1}, "top": 0, "width": 0, "height": 0}),
        b"1",
    ],
}


@pytest.mark.parametrize("parts", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_message_is_a_wire_error(parts):
    with pytest.raises(WireError):
        decode(parts)


MANY = 1_000_000
HOSTILE = {
    "deep lists": lambda: [b"[" * MANY],
    "deep objects": lambda: [b'{"dict":{"a":' * MANY],
    "as deep as JSON may be": lambda: [b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"],
    "deep inside a message": lambda: [b'{"@":"Credit","run":' + b"[" * 900 + b"]" * 900 + b',"items":1}'],
    "many parts": lambda: [header(**CREDIT), *[b""] * MANY],
    "one part many times": lambda: [
        b'{"@":"Credit","items":1,"run":[' + b",".join([b'{"part":1}'] * 100_000) + b"]}",
        memoryview(bytes(MANY)),
    ],
    "a shape of many sizes": lambda: [array("uint8", [10**18] * 100_000), b"1"],
    "a shape that is huge": lambda: [array("uint8", [2**62, 2**62, 2**62]), b"1"],
    "a shape that is huge, of nothing": lambda: [array("uint8", [2**62, 0, 2**62]), b""],
    "a number of many digits": lambda: [b'{"@":"Credit","run":"r","frames":' + b"9" * MANY + b"}"],
    "a class with a long name": lambda: [header(**{"@": "x" * MANY})],
    "many fields": lambda: [header(**{"@": "Credit"}, **{f"f{number}": 0 for number in range(100_000)})],
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_what_is_made_to_cost_costs_no_more_than_its_size(make):
    parts = make()
    size = sum(map(len, parts)) + 64 * len(parts)
    tracemalloc.start()
    try:
        began = time.process_time()
        with pytest.raises(WireError) as caught:
            decode(parts)
        assert time.process_time() - began < 5
        assert tracemalloc.get_traced_memory()[1] < 20 * size + 1_000_000
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "items"),
    [(b'{"@":"Credit","run":"r","items":1,"items":2}', 2), (b'{"@":"Credit","run":"r","items":7}', 7)],
)
def test_of_a_key_that_is_there_twice_the_last_counts(text, items):
    assert decode([text]) == m.Credit("r", items)


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


@settings(max_examples=300)
@given(st.dictionaries(KEYS, JSON, max_size=4), st.lists(st.binary(max_size=8), max_size=2))
def test_any_json_is_a_message_or_a_wire_error(said, parts):
    with contextlib.suppress(WireError):
        plain(decode([json.dumps(said).encode(), *parts]))


@settings(max_examples=300)
@given(MESSAGES, st.data())
def test_a_message_that_was_damaged_is_a_message_or_a_wire_error(message, data):
    parts = [bytearray(part) for part in encode(message)]
    for _ in range(data.draw(st.integers(1, 4))):
        part = data.draw(st.sampled_from(parts))
        place = data.draw(st.integers(0, max(0, len(part) - 1)))
        part[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(WireError):
        again = decode(parts)
        assert plain(decode(encode(again))) == plain(again)


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_parts_that_are_joined_for_a_pipe_are_the_same_when_split(parts):
    assert [bytes(part) for part in split(join(parts))] == parts


@given(st.binary(max_size=60))
def test_what_was_not_joined_is_a_wire_error_or_some_parts(whole):
    try:
        parts = split(whole)
    except WireError:
        return
    assert join(parts) == whole


def test_a_state_goes_through_a_pipe():
    state = m.TextState(np.arange(5, dtype=np.float32), 3, 12)
    got = decode(split(join(encode(m.Finished(4, (("r", state),))))))
    assert plain(got) == plain(m.Finished(4, (("r", state),)))
