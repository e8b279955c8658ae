"""A text over HTTP: every character once and in order, whatever happens to whoever writes or reads it."""

from __future__ import annotations

import itertools
import json
import threading

import httpx
import pytest
from httpx_sse import connect_sse

from inference.pieces import start_of
from inference.text.vocabulary import DEFAULT
from inference.web.schemas import TEXT_EVENTS
from tests.kit import char_models
from tests.kit.waiting import wait_until
from tests.server.test_openapi import fits

MODEL = "small.h5"


@pytest.fixture(scope="module")
def texts(site):
    """The shared server with a character model in its folder."""
    char_models.small(site.folder / MODEL)
    return site


def ask(site, last_event_id=None, **query):
    """All events of a text, as (name, id, data)."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    wanted = {"model_name": MODEL, "seed": "To be", "random_state": 1, **query}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    with (
        httpx.Client(base_url=site.address, timeout=60) as client,
        connect_sse(client, "GET", "/generate_text", params=wanted, headers=headers) as source,
    ):
        return [(event.event, event.id, json.loads(event.data)) for event in source.iter_sse()]


def text_of(events):
    return "".join(data["text"] for name, _, data in events if name == "message")


def test_a_text_comes_in_pieces_as_they_are_written(texts):
    events = ask(texts, length=100)
    names = [name for name, _, _ in events if name != "status"]
    assert names == ["start", *["message"] * 8, "done"]
    for name, _, data in events:
        fits(httpx.get(f"{texts.address}openapi.json").json(), name, data, TEXT_EVENTS)
    messages = [(int(number), data) for name, number, data in events if name == "message"]
    assert [number for number, _ in messages] == [start_of(piece) for piece in range(8)]
    for number, data in messages:
        assert data["index"] == number
        assert len(data["text"]) == len(data["probs"]) == len(data["entropies"]) == len(data["alternatives"])
        for character, share, likeliest in zip(
            data["text"], data["probs"], data["alternatives"], strict=True
        ):
            shares = [chance for _, chance in likeliest]
            assert (
                len(likeliest) == 5 and shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1.0001
            )
            assert [chance for one, chance in likeliest if one == character] in ([], [share])
    assert events[-1][2] == {"characters": 100} and len(text_of(events)) == 100


def test_start_says_what_is_written_and_how_to_get_it_again(texts):
    events = ask(texts, seed="naïve ☃ naïve", length=40, top_n=500, temperature=1.5, random_state=None)
    start = next(data for name, _, data in events if name == "start")
    assert start["unknown"] == ["ï", "☃"] and start["vocabulary"] == len(DEFAULT)
    assert (start["seed"], start["length"], start["top_n"]) == ("naïve ☃ naïve", 40, 500)
    again = ask(
        texts, seed="naïve ☃ naïve", length=40, top_n=500, temperature=1.5, random_state=start["random_state"]
    )
    assert text_of(again) == text_of(events)


def test_without_a_random_state_each_text_is_another(texts):
    assert len({text_of(ask(texts, length=60, random_state=None)) for _ in range(3)}) == 3


def test_the_likeliest_character_alone_needs_no_chance(texts):
    written = {text_of(ask(texts, length=60, top_n=1, random_state=state)) for state in (1, 2)}
    events = ask(texts, length=60, top_n=1)
    assert written == {text_of(events)}
    for name, _, data in events:
        if name == "message":
            assert data["text"] == "".join(likeliest[0][0] for likeliest in data["alternatives"])


@pytest.mark.parametrize("last", [0, 1, 2, 16, 64])
def test_a_text_goes_on_behind_the_last_message_that_is_there(texts, last):
    whole = ask(texts, length=100)
    rest = ask(texts, length=100, last_event_id=last)
    messages = [event for event in whole if event[0] == "message"]
    assert [event for event in rest if event[0] == "message"] == [
        event for event in messages if int(event[1]) > last
    ]
    assert rest[-1][2]["characters"] == len(text_of(rest))


def test_texts_that_are_written_at_once_are_each_as_if_alone(texts):
    """Sharing a batch, at different lengths, some with other seeds; a run that is over leaves the others."""
    wanted = [
        {"seed": seed, "length": length, "random_state": length}
        for seed in ("a", "To be")
        for length in (1, 33, 200, 700)
    ]
    alone = [text_of(ask(texts, **one)) for one in wanted]
    together: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda at=at, one=one: together.update({at: text_of(ask(texts, **one))}))
        for at, one in enumerate(wanted)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[at] for at in range(len(wanted))] == alone


def test_a_viewer_that_leaves_stops_its_text(texts):
    def written():
        said = httpx.get(f"{texts.address}metrics").text
        return float(
            next(line for line in said.splitlines() if line.startswith("inference_characters_total")).split()[
                1
            ]
        )

    query = {"model_name": MODEL, "seed": "a", "length": 100_000}
    before = written()
    with httpx.stream("GET", f"{texts.address}generate_text", params=query) as answer:
        for line in itertools.islice(answer.iter_lines(), 40):
            assert "failure" not in line
    wait_until(lambda: texts.pipeline.active_runs == 0, 1.5)
    stopped = written()
    assert before < stopped < before + 90_000
    ask(texts, length=10)
    assert written() == stopped + 10


BAD = {
    "empty seed": ({"seed": ""}, 400, "seed is missing"),
    "no seed": ({"seed": None}, 400, "seed is missing"),
    "long seed": ({"seed": "a" * 1001}, 400, "longer than 1000 characters"),
    "no length": ({"length": 0}, 400, "length must be a whole number from 1 to 100000"),
    "long": ({"length": 100_001}, 400, "length must be"),
    "top_n 0": ({"top_n": 0}, 400, "top_n must be a whole number from 1"),
    "top_n of 16 digits": ({"top_n": 10**15}, 400, "top_n must be a whole number from 1 to 999999999999999"),
    "top_n below": ({"top_n": -3}, 400, "top_n must be"),
    "temperature 0": ({"temperature": 0}, 400, "temperature must be a number from 0.01"),
    "temperature below": ({"temperature": -1}, 400, "temperature must be"),
    "temperature nan": ({"temperature": "nan"}, 400, "temperature must be"),
    "random state": ({"random_state": -1}, 400, "random_state must be"),
    "twice": ({"seed": ["a", "b"]}, 400, "seed may be given once"),
    "no such model": ({"model_name": "none.h5"}, 404, "no model named 'none.h5'"),
    "a pose model": ({"model_name": "m.number"}, 400, "takes a video"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_what_makes_no_sense_is_said_before_the_stream(texts, case):
    query, status, says = case
    wanted = {"model_name": MODEL, "seed": "a", **query}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    answer = httpx.get(f"{texts.address}generate_text", params=wanted)
    assert answer.status_code == status and says in answer.json()["error"]


@pytest.mark.parametrize(
    ("last", "more", "says"),
    [
        ("3", {}, "Last-Event-ID must be the id"),
        ("x", {}, "Last-Event-ID"),
        ("0", {"random_state": None}, "random_state"),
    ],
)
def test_where_a_text_cannot_go_on_it_says_why(texts, last, more, says):
    wanted = {"model_name": MODEL, "seed": "a", "random_state": 1, **more}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    answer = httpx.get(f"{texts.address}generate_text", params=wanted, headers={"Last-Event-ID": last})
    assert answer.status_code == 400 and says in answer.json()["error"]


def test_a_model_that_is_none_is_said_before_the_stream(texts):
    char_models.small(texts.folder / "other.h5", size=50)
    (texts.folder / "cut.h5").write_bytes((texts.folder / MODEL).read_bytes()[:2000] + b'"LSTM"')
    for name, says in (("other.h5", "50"), ("cut.h5", "damaged or cut off")):
        query = {"model_name": name, "seed": "a"}
        answer = httpx.get(f"{texts.address}generate_text", params=query, timeout=30)
        assert answer.status_code == 400 and says in answer.json()["error"]


def test_a_text_that_fails_before_the_place_where_it_was_to_go_on_ends(texts):
    """A model whose numbers grow beyond all bounds on the way."""
    char_models.growing(texts.folder / "grow.h5")
    whole = ask(texts, model_name="grow.h5", length=100)
    (failure,) = [data for event, _, data in whole if event == "failure"]
    assert failure["index"] is None and "finite" in failure["message"]
    rest = ask(texts, model_name="grow.h5", length=100, last_event_id=32)
    assert [name for name, _, _ in rest if name != "status"] == ["start", "failure"]


@pytest.mark.parametrize("layer", ["CuDNNLSTM", "CuDNNGRU", "RNN", "Bidirectional"])
def test_a_character_model_that_cannot_be_run_is_a_character_model_all_the_same(texts, layer):
    char_models.write(texts.folder / "other.h5", char_models.entries({"class_name": layer, "config": {}}))
    assert "other.h5" in httpx.get(f"{texts.address}get_available_models?kind=text").json()
    answer = httpx.get(f"{texts.address}generate_text", params={"model_name": "other.h5", "seed": "a"})
    assert answer.status_code == 400 and layer in answer.json()["error"]


def test_what_a_model_knows_is_told(texts):
    said = httpx.get(f"{texts.address}text_models/{MODEL}").json()
    assert said == {"model_name": MODEL, "vocabulary": list(DEFAULT), "counts": None, "text": None}
    assert httpx.get(f"{texts.address}text_models/none.h5").status_code == 404
    assert httpx.get(f"{texts.address}text_models/m.number").status_code == 400
    char_models.small(texts.folder / "wrong.h5")
    (texts.folder / "wrong.json").write_text('{"vocabulary": "abc"}')
    answer = httpx.get(f"{texts.address}text_models/wrong.h5")
    assert answer.status_code == 400 and "wrong.json" in answer.json()["error"]


def test_each_page_lists_its_own_models(texts):
    by_kind = [
        httpx.get(f"{texts.address}get_available_models", params=kind).json()
        for kind in ({}, {"kind": "text"})
    ]
    assert MODEL not in by_kind[0] and "m.number" in by_kind[0]
    assert MODEL in by_kind[1] and "m.number" not in by_kind[1]
    assert httpx.get(f"{texts.address}get_available_models?kind=sound").status_code == 400
