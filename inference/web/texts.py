"""Texts: their page, the stream that writes one, and what is known of a character model."""

from __future__ import annotations

import secrets

from flask import Flask, Response, jsonify, request

from inference import looking
from inference.catalog import Catalog
from inference.engines.converted import Cache
from inference.parameters import LARGEST
from inference.pipeline import Pipeline
from inference.requests import TextRequest
from inference.settings import Settings
from inference.text import vocabulary
from inference.text.events import TextEvents
from inference.text.query import parse_query
from inference.web.streams import Streams


def add_texts(app: Flask, settings: Settings, catalog: Catalog, pipeline: Pipeline, streams: Streams) -> None:
    """The routes."""
    cache = Cache(settings.cache, settings.cache_bytes)

    @app.get("/generate_text")
    def generate_text() -> Response:
        given = request.args.to_dict(flat=False)
        query = parse_query(given, request.headers.get("Last-Event-ID"), secrets.randbelow(LARGEST))
        model = catalog.model(query.model_name, takes="text")
        looking.look(cache, model.paths, allow_model_code=settings.allow_model_code)
        wanted = TextRequest(model, query.seed, query.length, query.options, query.start)
        return streams.respond(lambda: pipeline.run(wanted), TextEvents().of, query.heartbeat)

    @app.get("/text_models/<name>")
    def text_model(name: str) -> Response:
        file = vocabulary.of(catalog.model(name, takes="text").paths[0])
        return jsonify(model_name=name, vocabulary=file.characters, counts=file.counts, text=file.text)
