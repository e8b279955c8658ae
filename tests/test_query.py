"""A stream's parameters: defaults, and a sentence that names what is wrong."""

import pytest

from inference.errors import RequestError
from inference.messages import PoseOptions
from inference.query import StreamQuery, parse_query


def test_the_defaults():
    expected = StreamQuery("a.mp4", "best_model.h5", 0, None, None, 10.0, PoseOptions(0.2, 0.2))
    assert parse_query({"video_name": "a.mp4"}, None) == expected


@pytest.mark.parametrize(
    ("arguments", "last_event_id", "field", "value"),
    [
        ({"start": "7"}, None, "start", 7),
        ({"start": "7"}, "41", "start", 42),
        ({}, "-1", "start", 0),
        ({"stop": "0"}, None, "stop", 0),
        ({"width": "320"}, None, "width", 320),
        ({"heartbeat": "0.5"}, None, "heartbeat", 0.5),
        ({"threshold": "0.4"}, None, "options", PoseOptions(0.4, 0.4)),
        ({"threshold": "0.4", "floor": "0.1"}, None, "options", PoseOptions(0.4, 0.1)),
        ({"floor": "0.9"}, None, "options", PoseOptions(0.2, 0.2)),
        ({"model_name": "m.keras"}, None, "model_name", "m.keras"),
        ({"model_name": ""}, None, "model_name", "best_model.h5"),
        ({"unknown": "1"}, None, "start", 0),
    ],
)
def test_what_is_asked_for(arguments, last_event_id, field, value):
    assert getattr(parse_query({"video_name": "a.mp4", **arguments}, last_event_id), field) == value


@pytest.mark.parametrize(
    ("arguments", "last_event_id", "named"),
    [
        ({"video_name": ""}, None, "video_name"),
        ({"start": "-1"}, None, "start"),
        ({"start": "1.5"}, None, "start"),
        ({"start": ""}, None, "start"),
        ({"start": "٣"}, None, "start"),
        ({"start": "1_000"}, None, "start"),
        ({"start": "9" * 5000}, None, "start"),
        ({"stop": "end"}, None, "stop"),
        ({"width": "0"}, None, "width"),
        ({"threshold": "nan"}, None, "threshold"),
        ({"threshold": "inf"}, None, "threshold"),
        ({"floor": "low"}, None, "floor"),
        ({"heartbeat": "0"}, None, "heartbeat"),
        ({}, "abc", "Last-Event-ID"),
        ({}, "", "Last-Event-ID"),
        ({}, "-2", "Last-Event-ID"),
    ],
)
def test_what_makes_no_sense_is_named(arguments, last_event_id, named):
    with pytest.raises(RequestError, match=named) as caught:
        parse_query({"video_name": "a.mp4", **arguments}, last_event_id)
    assert len(str(caught.value)) < 200
