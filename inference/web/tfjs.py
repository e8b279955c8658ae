"""What text in the browser needs of the server: TF.js, which `python -m tfjs` fetched, and models for it.

A model is written for TF.js when it is first asked for, and kept in the cache by its version.
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, send_file, send_from_directory

from inference import __version__, looking
from inference.catalog import Catalog, ModelFile
from inference.engines.converted import Cache, CannotConvert, key
from inference.errors import InferenceError, NotFound
from inference.settings import Settings
from inference.text.tfjs import FILES, export
from tfjs import SERVED


def add_tfjs(app: Flask, catalog: Catalog, settings: Settings) -> None:
    """`GET /tfjs/tf.min.js`, an ES module, and `GET /text_models/<name>/tfjs/<file>`."""
    cache = Cache(settings.cache, settings.cache_bytes)

    @app.get("/tfjs/tf.min.js")
    def tfjs_script() -> Response:
        if not SERVED.is_file():
            raise NotFound(
                "TF.js is not here: make tfjs (or python -m tfjs) fetches it, then reload the page."
            )
        return send_file(SERVED, mimetype="text/javascript")

    @app.get("/text_models/<name>/tfjs/<file>")
    def model_for_tfjs(name: str, file: str) -> Response:
        model = catalog.model(name, takes="text")
        if not FILES.fullmatch(file):
            raise NotFound(f"{name} has no such file for TF.js: model.json names those that it has.")
        return send_from_directory(_exported(cache, model), file)


def _exported(cache: Cache, model: ModelFile) -> Path:
    def make(folder: Path) -> None:
        looking.look(cache, model.paths, allow_model_code=False)
        export(model.paths[0], folder)

    try:
        return cache.entry(key("tfjs", __version__, model.key), make)
    except CannotConvert as error:
        raise InferenceError(f"{model.name} cannot be kept for browsers: the log says why.") from error
