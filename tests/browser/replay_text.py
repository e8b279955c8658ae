"""The text page's part of the replay server: texts that a Markov chain writes, no inference.

The name of the model says how its stream behaves, one name for each behaviour (`BEHAVIOURS`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from inference.settings import TAKES
from tests.browser import chain

if TYPE_CHECKING:
    from tests.browser.replay_server import ReplayServer

BREAKS_AFTER = 40
"""Characters that `broken.h5` and `failing.h5` send at least, before what their name says."""
TRAINED_ON = "a story of eight nets"
BEHAVIOURS = (
    "chain.h5",  # as it should be
    "broken.h5",  # the connection breaks once `release` is set, and can be taken up again
    "failing.h5",  # the text fails after some characters
    "flood.h5",  # as fast as the page reads
    "full.h5",  # 503 and `Retry-After` until `release` is set
    "loading.h5",  # says that it loads until `release` is set
    "lost.h5",  # in the list, but 404
    "restarting.h5",  # says in the middle that a worker died, and goes on at twenty characters a second
    "secret.h5",  # says nothing of the text that it learned from, and writes some of it as unknown
    "slow.h5",  # twenty characters a second
    "torn.h5",  # leaves out a message
)


@dataclass
class TextStream:
    """One request for a text, as the server saw it."""

    query: dict[str, str]
    last_event_id: str | None
    sent: list[int] = field(default_factory=list)
    ended: float | None = None
    """`time.monotonic()` when the stream ended, for whatever reason; None while it is open."""


def add_text(app: Flask, server: ReplayServer) -> None:
    """Add the text page and what it asks."""

    @app.get("/text")
    def text_page() -> str:
        return render_template(
            "text.html",
            version="0.0.0",
            takes=TAKES,
            plotly_version=metadata.version("plotly"),
            models_folder="models",
            default_model="chain.h5",
        )

    @app.get("/text_models/<name>")
    def text_model(name: str) -> ResponseReturnValue:
        if name not in server.text_models:
            return jsonify(error=f"There is no model named {name}."), 404
        known = name != "secret.h5"
        return jsonify(
            model_name=name,
            vocabulary=chain.VOCABULARY,
            counts=chain.COUNTS if known else None,
            text=TRAINED_ON if known else None,
        )

    @app.get("/generate_text")
    def generate_text() -> ResponseReturnValue:
        stream = TextStream(request.args.to_dict(), request.headers.get("Last-Event-ID"))
        server.text_streams.append(stream)
        name = stream.query["model_name"]
        if name == "lost.h5":
            stream.ended = time.monotonic()
            return jsonify(error=f"There is no model named {name} in the models folder."), 404
        if name == "full.h5" and not server.release.is_set():
            return jsonify(error="64 streams are open already."), 503, {"Retry-After": "1"}
        gone: Callable[[], bool] = request.environ["waitress.client_disconnected"]
        events = _written_down(stream, _events(server, stream, gone))
        return Response(events, mimetype="text/event-stream", headers={"Cache-Control": "no-store"})


def _written_down(stream: TextStream, events: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from events
    finally:
        stream.ended = time.monotonic()


def _events(server: ReplayServer, stream: TextStream, gone: Callable[[], bool]) -> Iterator[bytes]:
    from tests.browser.replay_server import event

    query, name = stream.query, stream.query["model_name"]
    rate = {"flood.h5": float("inf"), "restarting.h5": 20.0, "slow.h5": 20.0}.get(name, server.text_rate)
    seed, length = query["seed"], int(query["length"])
    top_n, temperature = int(query["top_n"]), float(query["temperature"])
    random_state = int(query["random_state"])
    first_time = len([each for each in server.text_streams if each.query["model_name"] == name]) == 1

    def is_left() -> bool:
        return gone() or server.is_closing

    if name == "loading.h5":
        yield event("status", {"state": "loading", "message": f"Loading {name} …"})
        while not server.release.wait(0.02):
            if is_left():
                return
    start = {
        "run_id": "replayed-text",
        "model_name": name,
        "length": length,
        "seed": seed,
        "top_n": top_n,
        "temperature": temperature,
        "random_state": random_state,
        "vocabulary": len(chain.VOCABULARY),
        "unknown": chain.unknown(seed),
        "notes": ["It was written with another Keras."] if name == "secret.h5" else [],
        "engine": "NumPy",
    }
    yield event("start", start)
    written = chain.text(seed, length, top_n, temperature, random_state)
    if name == "secret.h5":
        written = written.replace("w", chain.UNKNOWN)
    sent = -1 if stream.last_event_id is None else int(stream.last_event_id)
    due = time.monotonic()
    for number, (begin, end) in enumerate(chain.pieces(length)):
        if begin <= sent:
            continue
        due += (end - begin) / rate
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(0.02, left))
            if is_left():
                return
        if is_left():
            return
        if begin >= BREAKS_AFTER and name == "failing.h5":
            yield event("failure", {"index": None, "message": "The model wrote no number."})
            return
        if begin >= BREAKS_AFTER and name == "broken.h5" and first_time:
            server.release.wait()  # until the page has read what came before, which would be lost else
            raise ConnectionAbortedError("as the name of this model says")
        if number == 5 and name == "restarting.h5":
            yield event("status", {"state": "restarting", "message": "A worker process died."})
        if number == 5 and name == "torn.h5":
            continue
        yield chain.message(seed, written, begin, end)
        stream.sent.append(begin)
    yield event("done", {"characters": length})
