"""The web app: HTTP only. It knows neither tensors nor sockets.

`create_app` is the factory; `main` reads the command line, starts the pipeline and serves until it is
told to stop. The server is waitress, whose threads may each hold a stream: a slow viewer blocks its own
thread alone, a small buffer a stream is all that it costs, and leaving is noticed between two writes.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading

STOP = threading.Event()
if __name__ == "__main__":
    # Before the other imports, which take most of a second: a Ctrl-C then is no error either.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: STOP.set())

from importlib import metadata, resources
from pathlib import Path

import waitress
from flask import Flask, Response, jsonify, render_template, send_file
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from inference import __version__
from inference.catalog import Catalog
from inference.commandline import parse
from inference.errors import (
    Conflict,
    InferenceError,
    NotFound,
    PortInUse,
    RequestError,
    TooLarge,
    TooManyStreams,
)
from inference.logs import configure_log
from inference.pipeline import Pipeline
from inference.query import DEFAULT_MODEL
from inference.recordings import Recordings
from inference.settings import Settings
from inference.web.openapi import add_description
from inference.web.runs import add_runs
from inference.web.streams import add_stream
from inference.web.uploads import add_uploads

log = logging.getLogger(__name__)

THREADS = 72
"""Enough for dozens of streams and the requests beside them; an idle one costs next to nothing."""
BUFFERED = 64 * 1024
"""Bytes of a stream that may wait in the server; with the system's own buffer, all that is read ahead."""
SEND_BUFFER = 256 * 1024
BACKLOG = 1024
"""Connections that may wait to be taken; with `listen`, a second program cannot have the port any more."""
MAX_STREAMS = THREADS - 8
"""More streams are refused for the moment: the page and its lists need threads too."""


STATUS: dict[type, int] = {
    RequestError: 400,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    TooManyStreams: 503,
}


def create_app(settings: Settings, pipeline: Pipeline) -> Flask:
    """The Flask app that serves one pipeline."""
    app = Flask(__name__)
    catalog = Catalog(settings.data, settings.models, settings.kinds, settings.sources)
    recordings = Recordings(settings.runs, settings.runs_bytes)
    _add_page(app, settings)
    add_stream(app, catalog, pipeline, recordings, MAX_STREAMS)
    add_uploads(app, settings)
    add_runs(app, recordings)
    add_description(app)
    _add_state(app, pipeline)
    _add_errors(app)

    @app.get("/get_available_videos")
    def get_available_videos() -> Response:
        return jsonify(catalog.videos())

    @app.get("/get_available_models")
    def get_available_models() -> Response:
        return jsonify(catalog.model_names())

    return app


def _add_page(app: Flask, settings: Settings) -> None:
    plotly = str(resources.files("plotly") / "package_data" / "plotly.min.js")

    @app.get("/")
    def page() -> str:
        return render_template(
            "index.html",
            version=__version__,
            plotly_version=metadata.version("plotly"),
            data_folder=_displayed(settings.data),
            models_folder=_displayed(settings.models),
            default_model=DEFAULT_MODEL,
        )

    @app.get("/plotly.min.js")
    def plotly_script() -> Response:
        return send_file(plotly, mimetype="text/javascript", max_age=365 * 24 * 3600)


def _displayed(folder: Path) -> str:
    """A folder as the page may name it: its own name, since a path would tell of the machine."""
    return folder.resolve().name


def _add_state(app: Flask, pipeline: Pipeline) -> None:
    @app.get("/healthz")
    def healthz() -> ResponseReturnValue:
        health = pipeline.health()
        return jsonify(vars(health)), 200 if health.status == "ready" else 503

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(pipeline.metrics.text(), mimetype="text/plain; version=0.0.4")


def _add_errors(app: Flask) -> None:
    @app.errorhandler(InferenceError)
    def user_error(error: InferenceError) -> ResponseReturnValue:
        status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
        headers = {"Retry-After": "10"} if status == 503 else {}
        return jsonify(error=str(error)), status, headers

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        return jsonify(error=error.description), error.code or 500

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> ResponseReturnValue:
        log.exception("a request failed")
        return jsonify(error="Something went wrong in the server; its log says what."), 500


def main() -> int:
    """Run the program as the command line says; gives its exit status."""
    return run(parse())


def run(settings: Settings) -> int:
    """Run the program until it is told to stop; gives its exit status."""
    configure_log(settings.log_level)
    try:
        listener = listen(settings.host, settings.port)
        catalog = Catalog(settings.data, settings.models, settings.kinds, settings.sources)
        first = [catalog.model(DEFAULT_MODEL)] if DEFAULT_MODEL in catalog.model_names() else []
        with Pipeline(settings) as pipeline:
            pipeline.start(first)
            server = Server(create_app(settings, pipeline), listener, settings.upload_bytes)
            print(f"Open {address_of(listener)} in a browser. Ctrl-C ends the program.", flush=True)
            # A wait without end would keep some systems from handling the signal.
            while not STOP.wait(1):
                pass
            # First, since it ends every stream with a last word.
            pipeline.close()
            server.close()
    except InferenceError as error:
        print(f"app.py: error: {error}", file=sys.stderr)
        return 2 if isinstance(error, PortInUse) else 1
    return 0


class Server:
    """The web server, in threads of its own, from its making until `close`."""

    def __init__(self, app: Flask, listener: socket.socket, largest: int = 1 << 30) -> None:
        """`largest` body of a request in bytes: a larger one is cut off before it is here."""
        self._server = waitress.create_server(
            app,
            sockets=[listener],
            threads=THREADS,
            outbuf_high_watermark=BUFFERED,
            # Noticing that a viewer left needs a read beside the running request.
            channel_request_lookahead=1,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True,
            ident=None,
            max_request_body_size=largest + 1,
        )
        self._thread = threading.Thread(target=self._server.run, name="server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more requests, and let those that run end within a second."""
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket bound for the server; PortInUse if the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortInUse(f"--port: port {port} at {host} cannot be used: {error.strerror}") from error
    return listener


def address_of(listener: socket.socket) -> str:
    """The address to open in a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


if __name__ == "__main__":
    sys.exit(main())
