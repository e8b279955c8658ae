"""A server of what text in the browser needs: the real page, TF.js and exported models. No inference.

Every request is written down, so that a test can say that there were none.
"""

from __future__ import annotations

import json
import logging
import threading
from importlib import resources
from pathlib import Path

from flask import Flask, Response, jsonify, render_template, request, send_file, send_from_directory
from werkzeug.serving import make_server

from inference.web.guard import SECURITY
from inference.web.tfjs import add_tfjs

ROOT = Path(__file__).resolve().parents[2]


class LocalServer:
    """Serves the models of a folder, each in a folder of its name, on a free port of 127.0.0.1."""

    def __init__(self, models: Path) -> None:
        self.asked: list[str] = []
        self._models = models
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
        add_tfjs(app)

        @app.before_request
        def write_down() -> None:
            self.asked.append(request.path)

        @app.after_request
        def keep_to_the_policy(response: Response) -> Response:
            response.headers.extend(SECURITY)
            return response

        @app.get("/")
        def page() -> str:
            return render_template("text.html", version="0.0.0", plotly_version="0", models_folder="models")

        @app.get("/get_available_models")
        def models() -> Response:
            return jsonify(sorted(path.name for path in self._models.iterdir()))

        @app.get("/text_models/<name>")
        def described(name: str) -> Response:
            return jsonify(json.loads((self._models / name / "tfjs" / "vocabulary.json").read_text()))

        @app.get("/healthz")
        def healthz() -> Response:
            return jsonify(status="ready", reason="", workers=1)

        @app.get("/plotly.min.js")
        def plotly() -> Response:
            script = resources.files("plotly") / "package_data" / "plotly.min.js"
            return send_file(str(script), mimetype="text/javascript")

        @app.get("/text_models/<name>/tfjs/<file>")
        def exported(name: str, file: str) -> Response:
            return send_from_directory(self._models / name / "tfjs", file)

        return app
