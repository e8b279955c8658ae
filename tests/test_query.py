"""A stream's parameters: defaults, and a sentence that names what is wrong."""

import pytest

from inference.errors import RequestError
from inference.messages import PoseOptions, TrackingOptions
from inference.query import StreamQuery, parse_query


def test_the_defaults():
    expected = StreamQuery(
        video_name="a.mp4",
        model_names=("best_model.h5",),
        compare_names=(),
        start=0,
        stop=None,
        width=None,
        heartbeat=10.0,
        run_id=None,
        options=PoseOptions(0.2, 0.2),
        tracking=TrackingOptions(),
        track=None,
    )
    assert parse({}) == expected


def parse(arguments, last_event_id=None):
    """What is asked for, each argument given once, or as often as its list is long."""
    given = {"video_name": "a.mp4", **arguments}
    return parse_query(
        {name: value if isinstance(value, list) else [value] for name, value in given.items()}, last_event_id
    )


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
        ({"model_name": "m.keras"}, None, "model_names", ("m.keras",)),
        ({"model_name": ""}, None, "model_names", ("best_model.h5",)),
        ({"model_name": ["b", "a"]}, None, "model_names", ("b", "a")),
        ({"compare": ["a", "b"]}, None, "compare_names", ("a", "b")),
        ({"run_id": "Run-2-of-3"}, None, "run_id", "Run-2-of-3"),
        ({"max_instances": "2"}, None, "options", PoseOptions(max_instances=2)),
        ({"refinement": "local"}, None, "options", PoseOptions(refinement="local")),
        ({"maps": "pafs"}, None, "options", PoseOptions(layer="pafs")),
        ({"tracking": "flow"}, None, "tracking", TrackingOptions("flow")),
        ({"tracking": "flow"}, None, "track", True),
        ({"tracking": "none"}, None, "track", False),
        (
            {"max_tracks": "4", "similarity": "oks"},
            None,
            "tracking",
            TrackingOptions(similarity="oks", max_tracks=4),
        ),
        ({"unknown": "1"}, None, "start", 0),
    ],
)
def test_what_is_asked_for(arguments, last_event_id, field, value):
    assert getattr(parse(arguments, last_event_id), field) == value


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
        ({"model_name": ["a", "b", "c"]}, None, "model_name"),
        ({"model_name": ["a", "a"]}, None, "model_name"),
        ({"compare": ["a", "b", "c"]}, None, "compare"),
        ({"run_id": "short"}, None, "run_id"),
        ({"run_id": "../../etc/passwd"}, None, "run_id"),
        ({"run_id": "a" * 65}, None, "run_id"),
        ({"max_instances": "0"}, None, "max_instances"),
        ({"refinement": "best"}, None, "refinement"),
        ({"maps": "all"}, None, "maps"),
        ({"tracking": "kalman"}, None, "tracking"),
        ({"max_tracks": "many"}, None, "max_tracks"),
        ({"track_window": "1001"}, None, "track_window must be a whole number from 1 to 1000"),
        ({"start": ["1", "2"]}, None, "start may be given once"),
        ({"threshold": "1_0"}, None, "threshold"),
        ({"threshold": " 1"}, None, "threshold"),
        ({}, "abc", "Last-Event-ID"),
        ({}, "", "Last-Event-ID"),
        ({}, "-2", "Last-Event-ID"),
    ],
)
def test_what_makes_no_sense_is_named(arguments, last_event_id, named):
    with pytest.raises(RequestError, match=named) as caught:
        parse(arguments, last_event_id)
    assert len(str(caught.value)) < 200
