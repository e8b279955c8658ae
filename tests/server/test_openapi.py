"""What the server says of itself is true: of every route, of every event, of every answer."""

from __future__ import annotations

import itertools

import httpx
import jsonschema
import pytest

from inference.frame_events import event_of
from inference.web.openapi import document
from inference.web.operations import OPERATIONS
from inference.web.schemas import EVENTS
from tests import test_sse


@pytest.fixture(scope="module")
def described(site):
    return httpx.get(f"{site.address}openapi.json").json()


def fits(described, name, data, events=EVENTS):
    schema = {"$ref": f"#/components/schemas/{events[name]}", "components": described["components"]}
    jsonschema.Draft202012Validator(schema).validate(data)


def test_every_route_is_described_and_no_other(site, described):
    routes = {(path, method) for path, methods in described["paths"].items() for method in methods}
    assert ("/generate_predictions", "get") in routes
    assert OPERATIONS.keys() == routes


def test_a_route_that_nobody_described_is_seen():
    with pytest.raises(KeyError):
        document({("/nobody/described/{this}", "get")}, "inference-5000")


QUERIES = [
    {"model_name": "m.number", "stop": 3},
    {"model_name": "m.number", "compare": "nan.gives_nan", "stop": 3},
    {"model_name": "bad.fails_in_predict", "stop": 8, "tracking": "simple"},
    {"model_name": "none.fails_in_setup"},
    {"model_name": "late.slow", "stop": 1},
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["model_name"])
def test_the_events_of_real_streams_are_as_described(site, described, query):
    events = site.stream(video_name="a.avi", **query)
    assert events
    for name, _, data in events:
        fits(described, name, data)


def test_the_events_that_are_rare_are_as_described(described):
    for _, name, _, data in test_sse.EVENTS:
        fits(described, name, data)
    for event in (test_sse.RICH, test_sse.LIVE):
        fits(described, "message", test_sse.parse(event_of(event))[2])


def test_an_event_that_is_not_as_described_is_seen(described):
    with pytest.raises(jsonschema.ValidationError):
        fits(described, "done", {"frames": 1, "more": 2})


def test_the_page_for_people_says_every_route_and_every_parameter(site, described):
    page = httpx.get(f"{site.address}docs").text
    for path, operations in described["paths"].items():
        assert f" {path}<" in page
        for parameter in itertools.chain(*(each.get("parameters", []) for each in operations.values())):
            assert parameter["name"] in page
    assert "<script src=" in page and "<script>" not in page and "style=" not in page
    assert all(f"<code>{event}</code>" in page for event in EVENTS)
