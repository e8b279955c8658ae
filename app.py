"""The web app: HTTP only. It knows neither tensors nor sockets.

`create_app` is the factory; `main` reads the command line, starts the pipeline and serves until it is
told to stop. The server itself is `inference/web/server.py`'s; who may come in is the guard's.
"""

from __future__ import annotations

import logging
import secrets
import signal
import sys
import threading

STOP = threading.Event()
if __name__ == "__main__":
    # Before the other imports, which take most of a second: a Ctrl-C then is no error either.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: STOP.set())

from dataclasses import replace
from importlib import metadata, resources
from pathlib import Path

from flask import Flask, Response, jsonify, render_template, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from inference import __version__
from inference.catalog import Catalog
from inference.commandline import parse
from inference.errors import (
    Conflict,
    CrossSite,
    InferenceError,
    ModelError,
    NotFound,
    NotLoggedIn,
    NotStored,
    PortInUse,
    RequestError,
    TooLarge,
    TooManyStreams,
    WrongHost,
)
from inference.hosts import is_loopback
from inference.logs import configure_log
from inference.parameters import read
from inference.pipeline import Pipeline
from inference.query import DEFAULT_MODEL
from inference.recordings import Recordings
from inference.settings import TAKES, Settings
from inference.text import query as text_query
from inference.web.guard import add_guard
from inference.web.login import add_login
from inference.web.openapi import add_description
from inference.web.operations import KIND
from inference.web.predictions import add_predictions
from inference.web.runs import add_runs
from inference.web.server import Server, address_of, listen
from inference.web.streams import Streams
from inference.web.texts import add_texts
from inference.web.tfjs import add_tfjs
from inference.web.uploads import add_uploads

__all__ = ["Server", "address_of", "create_app", "listen", "main", "run"]

log = logging.getLogger(__name__)

STATUS: dict[type, int] = {
    RequestError: 400,
    ModelError: 400,
    NotLoggedIn: 401,
    CrossSite: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    WrongHost: 421,
    TooManyStreams: 503,
    NotStored: 507,
}
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "10"}}


def create_app(settings: Settings, pipeline: Pipeline) -> Flask:
    """The Flask app that serves one pipeline."""
    app = Flask(__name__)
    catalog = Catalog(settings.data, settings.models, settings.kinds, settings.sources)
    recordings = Recordings(settings.runs, settings.runs_bytes)
    add_guard(app, settings)
    add_login(app)
    _add_pages(app, settings)
    streams = Streams(settings.max_streams)
    add_predictions(app, catalog, pipeline, recordings, streams)
    add_texts(app, settings, catalog, pipeline, streams)
    add_tfjs(app, catalog, settings)
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
        (takes,) = read([KIND], request.args.to_dict(flat=False)).values()
        return jsonify(catalog.model_names(takes))

    return app


def _add_pages(app: Flask, settings: Settings) -> None:
    both = {
        "version": __version__,
        "takes": TAKES,
        "plotly_version": metadata.version("plotly"),
        "models_folder": _displayed(settings.models),
    }
    plotly = str(resources.files("plotly") / "package_data" / "plotly.min.js")

    @app.get("/")
    def page() -> str:
        return render_template(
            "index.html", data_folder=_displayed(settings.data), default_model=DEFAULT_MODEL, **both
        )

    @app.get("/text")
    def text_page() -> str:
        return render_template("text.html", default_model=text_query.DEFAULT_MODEL, **both)

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
        return jsonify(error=str(error)), status, HEADERS.get(status, {})

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        # Allow, of a method that a route does not take
        headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
        return jsonify(error=error.description), error.code or 500, headers

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
    made = "" if settings.token or is_loopback(settings.host) else secrets.token_urlsafe(32)
    settings = replace(settings, token=made or settings.token)
    try:
        listener = listen(settings.host, settings.port)
        catalog = Catalog(settings.data, settings.models, settings.kinds, settings.sources)
        first = [catalog.model(DEFAULT_MODEL)] if DEFAULT_MODEL in catalog.model_names() else []
        with Pipeline(settings) as pipeline:
            pipeline.start(first)
            server = Server(create_app(settings, pipeline), listener)
            # What stands behind a # is never sent nor logged; a token that was given is not repeated.
            login = f"login#token={made}" if made else ""
            print(f"Open {address_of(listener)}{login} in a browser. Ctrl-C ends the program.", flush=True)
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


if __name__ == "__main__":
    sys.exit(main())
