"""`GET /openapi.json`, the description of the HTTP interface, and `GET /docs`, the same to be read."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, Response, jsonify, render_template, request

from inference import __version__
from inference.admission import cookie_name
from inference.parameters import LARGEST
from inference.web.operations import OPERATIONS
from inference.web.parts import ALWAYS
from inference.web.schemas import SCHEMAS

ABOUT = (
    "Watch a pose model's predictions on a video, or a character model's text, as they are computed. Frames "
    "and characters are numbered from 0, points are in the video's own pixels. An error is a JSON object of "
    "one sentence. Bound to loopback, the program asks for no token; otherwise each request needs one, as a "
    "bearer token or by the cookie that POST /login sets; a browser without one is sent to /login."
)


def add_description(app: Flask) -> None:
    """Both routes. What they say is of the routes that the app has when they are asked."""

    @app.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(document(routes_of(app), cookie_name(request.host)))

    @app.get("/docs")
    def docs() -> str:
        api = document(routes_of(app), cookie_name(request.host))
        return render_template("docs.html", version=__version__, api=api, always=ALWAYS, shown=shown)


def document(routes: set[tuple[str, str]], cookie: str) -> dict[str, Any]:
    """The description of these routes, each a path such as /runs/{run_id} and a method in small letters.

    `cookie` is the name of the one that a login gives. KeyError if one of them is not described.
    """
    paths: dict[str, Any] = {}
    for path, method in sorted(routes):
        paths.setdefault(path, {})[method] = OPERATIONS[path, method]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Interactive model inference",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookie,
                    "description": "Its port is the program's.",
                },
            },
        },
    }


def routes_of(app: Flask) -> set[tuple[str, str]]:
    """Paths as OpenAPI writes them, each with a method in small letters."""
    return {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def shown(schema: dict[str, Any]) -> str:
    """What a parameter may be, in a few words."""
    inner = schema.get("items", schema)
    words = ", ".join(map(str, inner["enum"])) if "enum" in inner else str(inner["type"])
    if "minimum" in inner:
        words += f" from {inner['minimum']}"
    if inner.get("maximum", LARGEST) < LARGEST:
        words += f" to {inner['maximum']}"
    if "default" in schema:
        default = schema["default"]
        words += f" (default: {default[0] if isinstance(default, list) else default})"
    return words
