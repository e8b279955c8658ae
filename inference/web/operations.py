"""Every operation of the HTTP interface: what it takes and what it answers. Pure: a table, no code.

Defaults, choices and ranges come from where the program itself reads them.
"""

from __future__ import annotations

import re

from inference import exports
from inference.catalog import VIDEO_SUFFIXES
from inference.parameters import Parameter
from inference.query import LAST_EVENT_ID, PARAMETERS, RUN_ID
from inference.settings import TAKES
from inference.text import query as text_query
from inference.text import tfjs
from inference.web.parts import Part, answer, error, event_stream, file, json_of, operation, parameter
from inference.web.schemas import EVENTS, TEXT_EVENTS, rows, text

_STREAM = (
    "The predictions of a range of frames, in order and each exactly once, as server-sent events: status any "
    "number of times, start, then a message or a failure for each frame, and done. A failure without a frame "
    "ends the run. Comments keep a silent connection alive. Leaving ends the run."
)


_TEXT = (
    "Characters that a model writes behind a seed, in order, as they are drawn, as server-sent events: "
    "status any number of times, start, then messages of a few characters each, and done. A failure ends the "
    "text. Where a message begins is always the same. Comments keep a silent connection alive. Leaving ends "
    "the text."
)


def _static(summary: str, *types: str, parameters: list[Part]) -> Part:
    answers = {
        200: file("The file.", *types),
        304: {"description": "The file that you have is the newest."},
        404: "There is no such file.",
    }
    return operation(summary, answers, parameters=parameters)


_RUN = {
    "name": "run_id",
    "in": "path",
    "required": True,
    "description": "The run, as GET /runs lists it.",
    "schema": {"type": "string", "pattern": f"^{RUN_ID.pattern}$"},
}
_FORMAT = {
    "name": "format",
    "in": "query",
    "required": True,
    "description": "csv, slp, h5 and nwb hold the points, mp4 shows them, json says where they come from.",
    "schema": {"enum": list(exports.FORMATS)},
}
_ENDINGS = "|".join(
    re.sub("[a-z]", lambda letter: f"[{letter[0]}{letter[0].upper()}]", suffix.replace(".", r"\."))
    for suffix in sorted(VIDEO_SUFFIXES)
)
_NAME = {
    "name": "name",
    "in": "query",
    "required": True,
    "description": "What to call it, ending as a video does; a number is added where the name is taken.",
    "schema": {"type": "string", "pattern": rf"[^\s./\\:]({_ENDINGS})$", "examples": ["clip.mp4"]},
}
_FILENAME = {"name": "filename", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_MODEL = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The model, as GET /get_available_models?kind=text lists it.",
    "schema": {"type": "string", "minLength": 1},
}
KIND = Parameter("kind", str, "What the models take.", next(iter(TAKES)), choices=tuple(TAKES))
_TFJS_FILE = {
    "name": "file",
    "in": "path",
    "required": True,
    "description": "model.json, which names the others.",
    "schema": {"type": "string", "pattern": f"^({tfjs.FILES.pattern})$", "examples": ["model.json"]},
}
_NO_RUN = "There is no such run."


def _login_refused() -> Part:
    """As everywhere, but whoever sent a form gets the page again."""
    refused = error(401, "That is not the token.")
    return refused | {"content": refused["content"] | {"text/html": {}}}


OPERATIONS: dict[tuple[str, str], Part] = {
    ("/", "get"): operation("The page.", {200: file("The page.")}),
    ("/text", "get"): operation("The page for texts.", {200: file("The page.")}),
    ("/docs", "get"): operation("This description, to be read.", {200: file("A page.")}),
    ("/openapi.json", "get"): operation(
        "This description.", {200: {"description": "OpenAPI 3.1.", "content": json_of({"type": "object"})}}
    ),
    ("/login", "get"): operation(
        "The page to log in at.",
        {200: file("The page."), 303: {"description": "The program asks for no token."}},
    ),
    ("/login", "post"): operation(
        "Log in: give the token, get a cookie.",
        {
            204: {"description": "Logged in, by JSON."},
            303: {"description": "Logged in, by a form: go to the page."},
            401: _login_refused(),
        },
        requestBody={
            "required": True,
            "content": {
                kind: {
                    "schema": {
                        "type": "object",
                        "properties": {"token": text("The token.")},
                        "required": ["token"],
                    }
                }
                for kind in ("application/json", "application/x-www-form-urlencoded")
            },
        },
        security=[],
    ),
    ("/generate_predictions", "get"): operation(
        "Stream predictions.",
        {
            200: event_stream(EVENTS),
            404: "There is no such video or model.",
            409: "A run of that id was recorded of something else.",
            503: "As many streams are open as are served (--max-streams).",
        },
        about=_STREAM,
        parameters=[*map(parameter, PARAMETERS), parameter(LAST_EVENT_ID, "header")],
    ),
    ("/get_available_videos", "get"): operation(
        "List the videos and the live sources.",
        {200: {"description": "Their names.", "content": json_of(rows({"type": "string"}))}},
    ),
    ("/get_available_models", "get"): operation(
        "List the models of one kind.",
        {200: {"description": "Their names.", "content": json_of(rows({"type": "string"}))}},
        parameters=[parameter(KIND)],
    ),
    ("/generate_text", "get"): operation(
        "Stream a text.",
        {
            200: event_stream(TEXT_EVENTS),
            404: "There is no such model.",
            503: "As many streams are open as are served (--max-streams).",
        },
        about=_TEXT,
        parameters=[
            *map(parameter, text_query.PARAMETERS),
            parameter(text_query.LAST_EVENT_ID, "header"),
        ],
    ),
    ("/text_models/{name}", "get"): operation(
        "What a character model knows.",
        {200: answer("Its vocabulary.", "TextModel"), 404: "There is no such model."},
        parameters=[_MODEL],
    ),
    ("/text_models/{name}/tfjs/{file}", "get"): _static(
        "A character model as a TF.js layers model, its weights and its vocabulary.",
        "application/json",
        "application/octet-stream",
        parameters=[_MODEL, _TFJS_FILE],
    ),
    ("/limits", "get"): operation("How large an upload may be.", {200: answer("The limits.", "Limits")}),
    ("/videos", "post"): operation(
        "Upload a video.",
        {
            201: answer("It is in the data folder.", "Uploaded"),
            413: "The video is larger than is taken.",
            507: "The server's disk does not take it.",
        },
        parameters=[_NAME],
        requestBody={
            "required": True,
            "description": "The video as it is, with its Content-Length.",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary", "minLength": 1}}
            },
        },
    ),
    ("/runs", "get"): operation(
        "List the recorded runs, the newest first.", {200: answer("The runs.", "Summary", many=True)}
    ),
    ("/runs/{run_id}", "delete"): operation(
        "Delete a run.",
        {204: {"description": "It is gone."}, 404: _NO_RUN, 409: "The run goes on."},
        parameters=[_RUN],
    ),
    ("/runs/{run_id}/export", "get"): operation(
        "Download a run.",
        {
            200: file("The file.", *dict.fromkeys(form.mimetype for form in exports.FORMATS.values())),
            404: _NO_RUN,
            409: "The run cannot be written so, or is damaged: the sentence says why.",
            503: "Other files are being written; try again in a moment.",
        },
        about="Identities are computed over the whole run, in the order of its frames.",
        parameters=[_RUN, _FORMAT],
    ),
    ("/runs/{run_id}/export/progress", "get"): operation(
        "How far a download's file is written.",
        {200: answer("From 0 to 1; null: it is not being written.", "Share"), 404: _NO_RUN},
        parameters=[_RUN, _FORMAT],
    ),
    ("/healthz", "get"): operation(
        "How the program is.",
        {
            200: answer("It is ready.", "Health"),
            503: answer("The workers are not ready.", "Health"),
        },
    ),
    ("/metrics", "get"): operation("Figures for Prometheus.", {200: file("Its text.", "text/plain")}),
    ("/plotly.min.js", "get"): _static("A script of the page.", "text/javascript", parameters=[]),
    ("/tfjs/tf.min.js", "get"): _static("TF.js, where it was fetched.", "text/javascript", parameters=[]),
    ("/static/{filename}", "get"): _static(
        "A file of the page.", "text/javascript", "text/css", "image/svg+xml", parameters=[_FILENAME]
    ),
}
