"""A server of what text in the browser needs: the real page, TF.js and exported models. No inference.

Every request is written down, so that a test can say that there were none.
"""

from __future__ import annotations

import logging
import threading
from importlib import resources
from pathlib import Path

from flask import Flask, Response, jsonify, render_template, send_file, send_from_directory
from flask.typing import ResponseReturnValue
from werkzeug.serving import make_server

from inference.catalog import Catalog
from inference.errors import InferenceError, NotFound
from inference.settings import TAKES, Settings
from inference.text import vocabulary
from inference.web.guard import SECURITY
from inference.web.tfjs import add_tfjs

ROOT = Path(__file__).resolve().parents[2]


class LocalServer:
    """Serves the models of a folder, and what else is for TF.js, on a free port of 127.0.0.1."""

    def __init__(self, models: Path, others: Path | None = None) -> None:
        """`others` is a folder of files that are served as they are, under `others/`."""
        self._others = others
        cache = models.parent / f"{models.name}-cache"
        self._settings = Settings(data=models, models=models, cache=cache)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> LocalServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _app(self) -> Flask:
        app = Flask(__name__, template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
        catalog = Catalog(self._settings.data, self._settings.models, self._settings.kinds)
        add_tfjs(app, catalog, self._settings)

        @app.after_request
        def keep_to_the_policy(response: Response) -> Response:
            response.headers.extend(SECURITY)
            return response

        @app.get("/")
        def page() -> str:
            return render_template(
                "text.html", version="0.0.0", takes=TAKES, plotly_version="0", models_folder="models"
            )

        @app.get("/get_available_models")
        def models() -> Response:
            return jsonify(catalog.model_names("text"))

        @app.get("/text_models/<name>")
        def described(name: str) -> Response:
            held = vocabulary.of(catalog.model(name, takes="text").paths[0])
            return jsonify(vocabulary=held.characters, counts=held.counts, text=held.text)

        @app.get("/healthz")
        def healthz() -> Response:
            return jsonify(status="ready", reason="", workers=1)

        @app.get("/plotly.min.js")
        def plotly() -> Response:
            script = resources.files("plotly") / "package_data" / "plotly.min.js"
            return send_file(str(script), mimetype="text/javascript")

        @app.get("/others/<file>")
        def other(file: str) -> Response:
            return send_from_directory(self._others or "", file)

        @app.errorhandler(InferenceError)
        def user_error(error: InferenceError) -> ResponseReturnValue:
            return jsonify(error=str(error)), 404 if isinstance(error, NotFound) else 400

        return app
