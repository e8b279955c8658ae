"""TF.js for the page: the one file that `python -m tfjs` fetched, or a sentence where nobody has."""

from __future__ import annotations

from flask import Flask, Response, send_file

from inference.errors import NotFound
from tfjs import SERVED


def add_tfjs(app: Flask) -> None:
    """`GET /tfjs/tf.min.js`, an ES module."""

    @app.get("/tfjs/tf.min.js")
    def tfjs_script() -> Response:
        if not SERVED.is_file():
            raise NotFound(
                "TF.js is not here: make tfjs (or python -m tfjs) fetches it, then reload the page."
            )
        return send_file(SERVED, mimetype="text/javascript")
