"""A server that replays recordings to the page: the real template, scripts and HTTP, no inference.

The name of the video says how the stream behaves, one name for each behaviour (`BEHAVIOURS`). Every
stream that was asked for is written down in `ReplayServer.streams`, with what was sent and when it ended.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import waitress
from flask import Flask, Response, jsonify, render_template, request, send_file
from flask.typing import ResponseReturnValue

from inference.settings import TAKES
from inference.web.guard import SECURITY
from tests.browser import replay_text
from tests.browser.recording import Recording, make_recording

ROOT = Path(__file__).resolve().parents[2]
MODEL = "best_model.h5"
BREAKS_AFTER = 15
"""Frames that `broken.mp4` and `truncated.mp4` send before what their name says."""
HOLES = (7, 8)
"""The frames of `holes.mp4` that fail."""
FULL = "64 streams are open already, and more are not served."
RETRY_AFTER = 2
"""What `full.mp4` is answered: a sentence, and when to ask again (s)."""
UNRECORDED_FROM = 4
"""The first frame of `unrecorded.mp4` that is not recorded."""


@dataclass
class Stream:
    """One request for a stream, as the server saw it."""

    query: dict[str, str]
    last_event_id: str | None
    models: list[str]
    sent: list[int] = field(default_factory=list)
    ended: float | None = None
    """`time.monotonic()` when the stream ended, for whatever reason; None while it is open."""

    @property
    def start(self) -> int:
        """The first frame asked for."""
        if self.last_event_id is not None:
            return int(self.last_event_id) + 1
        return int(self.query.get("start", "0"))


def event(name: str, data: dict[str, Any], number: int | None = None) -> bytes:
    """A named event."""
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {name}\ndata: {json.dumps(data)}\n\n".encode()


class ReplayServer:
    """Serves the page and replayed streams on a free port of 127.0.0.1, in threads of its own."""

    BEHAVIOURS = (
        "broken.mp4",  # the connection breaks after some frames, and can be taken up again
        "dots.mp4",  # as it should be
        "full.mp4",  # 503 and `Retry-After` until `release` is set
        "flood.mp4",  # as fast as the page reads
        "holes.mp4",  # two frames fail, the run goes on
        "loading.mp4",  # says that it loads until `release` is set
        "lost.mp4",  # in the list, but 404
        "pair.mp4",  # two animals
        "skeleton.mp4",  # 24 nodes
        "slow.mp4",  # four frames a second
        "truncated.mp4",  # the run fails after some frames
        "unrecorded.mp4",  # says after some frames that they are not recorded any more
    )

    def __init__(self, recording: Recording | None = None, rate: float = 50.0) -> None:
        self.recording = recording or make_recording()
        self.rate = rate
        self.videos = list(self.BEHAVIOURS)
        self.models = [MODEL, "other.h5"]
        self.health: dict[str, Any] = {"status": "ready", "reason": "", "workers": 2, "models": [MODEL]}
        self.upload_bytes = 1_000_000
        self.uploads: dict[str, bytes] = {}
        self.runs: list[dict[str, Any]] = []
        self.release = threading.Event()
        self.streams: list[Stream] = []
        self.text_models = list(replay_text.BEHAVIOURS)
        self.text_rate = 400.0  # characters/s
        self.text_streams: list[replay_text.TextStream] = []
        self._closing = threading.Event()
        logging.getLogger("waitress").setLevel(logging.CRITICAL)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024
        )  # handed down to every connection
        self._server = waitress.create_server(
            self._app(),
            sockets=[listener],
            threads=16,
            channel_request_lookahead=1,  # to notice that a page left
            outbuf_high_watermark=64 * 1024,
        )
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def __enter__(self) -> ReplayServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_closing(self) -> bool:
        """Whether every stream is to end."""
        return self._closing.is_set()

    def close(self) -> None:
        """Ends every stream and stops listening: to the page, the server is gone."""
        if not self._closing.is_set():
            self._closing.set()
            self.release.set()
            self._server.task_dispatcher.shutdown()  # first, so that no request uses what is closed next
            with contextlib.suppress(OSError):  # where the server was awake and has closed it already
                self._server.trigger.pull_trigger(self._hang_up)  # in the server's own thread
            self._thread.join(10)

    def _hang_up(self) -> None:
        self._server.close()
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()

    def _app(self) -> Flask:
        app = Flask(__name__, template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))

        @app.after_request
        def keep_to_the_policy(response: Response) -> Response:
            response.headers.extend(SECURITY)
            return response

        @app.get("/")
        def page() -> str:
            return render_template(
                "index.html",
                version="0.0.0",
                takes=TAKES,
                plotly_version=metadata.version("plotly"),
                data_folder="data",
                models_folder="models",
                default_model=MODEL,
            )

        @app.get("/plotly.min.js")
        def plotly() -> Response:
            script = resources.files("plotly") / "package_data" / "plotly.min.js"
            return send_file(str(script), mimetype="text/javascript", max_age=3600)

        @app.get("/get_available_videos")
        def videos() -> Response:
            return jsonify(self.videos)

        @app.get("/get_available_models")
        def models() -> Response:
            return jsonify({"video": self.models, "text": self.text_models}[request.args["kind"]])

        @app.get("/healthz")
        def healthz() -> ResponseReturnValue:
            return jsonify(self.health), 200 if self.health["status"] == "ready" else 503

        @app.get("/limits")
        def limits() -> Response:
            return jsonify(upload_bytes=self.upload_bytes)

        @app.post("/videos")
        def upload() -> ResponseReturnValue:
            name = request.args["name"]
            if not name.endswith((".mp4", ".avi")):
                return jsonify(error=f"{name!r} is no video's name."), 400
            self.uploads[name] = request.get_data()
            self.videos.append(name)
            return jsonify(video_name=name), 201

        @app.get("/runs")
        def runs() -> Response:
            return jsonify(self.runs)

        @app.get("/runs/<run_id>/export/progress")
        def progress(run_id: str) -> Response:
            return jsonify(share=0.5)

        @app.get("/runs/<run_id>/export")
        def export(run_id: str) -> ResponseReturnValue:
            form = request.args["format"]
            if form == "nwb":
                return jsonify(error="No animal was found in this run."), 409
            headers = {"Content-Disposition": f"attachment; filename=clip.{run_id[:8]}.{form}"}
            return Response(f"{form} of {run_id}", headers=headers)

        @app.delete("/runs/<run_id>")
        def delete(run_id: str) -> ResponseReturnValue:
            self.runs = [run for run in self.runs if run["run_id"] != run_id]
            return "", 204

        replay_text.add_text(app, self)

        @app.get("/generate_predictions")
        def generate_predictions() -> ResponseReturnValue:
            models = request.args.getlist("model_name")
            stream = Stream(request.args.to_dict(), request.headers.get("Last-Event-ID"), models)
            self.streams.append(stream)
            name = stream.query["video_name"]
            if name == "lost.mp4" or name not in self.videos:
                stream.ended = time.monotonic()
                return jsonify(error=f"There is no video named {name} in the data folder."), 404
            if name == "full.mp4" and not self.release.is_set():
                stream.ended = time.monotonic()
                return jsonify(error=FULL), 503, {"Retry-After": str(RETRY_AFTER)}
            gone: Callable[[], bool] = request.environ["waitress.client_disconnected"]
            events = self._written_down(stream, self._events(stream, gone))
            return Response(events, mimetype="text/event-stream", headers={"Cache-Control": "no-store"})

        return app

    def _written_down(self, stream: Stream, events: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from events
        finally:
            stream.ended = time.monotonic()

    def _events(self, stream: Stream, gone: Callable[[], bool]) -> Iterator[bytes]:
        name = stream.query["video_name"]
        recording = {
            "pair.mp4": make_recording(animals=2),
            "skeleton.mp4": make_recording(frames=60, nodes=24),
        }.get(name, self.recording)
        rate = {"flood.mp4": float("inf"), "slow.mp4": 4.0}.get(name, self.rate)
        first_time = len([s for s in self.streams if s.query["video_name"] == name]) == 1

        def wait(seconds: float) -> bool:
            """Waits, and says whether there is still somebody to send to."""
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                if gone() or self._closing.wait(min(0.02, until - time.monotonic())):
                    return False
            return not gone() and not self._closing.is_set()

        if name == "loading.mp4":
            yield event("status", {"state": "loading", "message": f"Loading {MODEL} …"})
            while not self.release.is_set():
                if not wait(0.02):
                    return
        start = recording.start(name, stream.query.get("model_name", MODEL))
        start["threshold"] = float(stream.query.get("threshold", 0.2))
        if "compare" in stream.query:
            name_of = stream.query["compare"]
            start["compare"] = {**start, "model_name": name_of, "model_names": [name_of]}
        yield event("start", start)
        plain = not {"maps", "compare"} & stream.query.keys()
        due = time.monotonic()
        for index in range(stream.start, len(recording.messages)):
            due += 1 / rate
            if not wait(due - time.monotonic()):
                return
            if len(stream.sent) == BREAKS_AFTER and name == "truncated.mp4":
                message = (
                    f"The video broke at frame {index}; it had promised {len(recording.messages)} frames."
                )
                yield event("failure", {"frame_idx": None, "message": message})
                return
            if len(stream.sent) == BREAKS_AFTER and name == "broken.mp4" and first_time:
                raise ConnectionAbortedError("as the name of this video says")
            if name == "unrecorded.mp4" and index == UNRECORDED_FROM:
                message = "This run is not recorded any more: the disk is full."
                yield event("status", {"state": "not_recorded", "message": message})
            if name == "holes.mp4" and index in HOLES:
                yield event("failure", {"frame_idx": index, "message": "The model stumbled."}, index)
            else:
                yield recording.encoded[index] if plain else recording.asked(index, stream.query)
            stream.sent.append(index)
        yield event("done", {"frames": len(stream.sent)})
