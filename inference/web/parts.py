"""The parts of an OpenAPI description: operations, answers, parameters. Pure: each is a JSON object."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from inference.parameters import Parameter
from inference.web.schemas import Schema, record, rows

Part = dict[str, Any]

ALWAYS = {
    400: "The request makes no sense: the sentence names what does not.",
    401: "The program asks for a token, and the request has none or a wrong one.",
    403: "A page of another site asked.",
    413: "The body is larger than is taken.",
    421: "The header Host names another machine.",
    431: "The first line and the headers are too long together.",
    500: "Something went wrong in the server; its log says what.",
}
"""What every route may answer."""


def operation(summary: str, answers: dict[int, Any], *, about: str = "", **more: Any) -> Part:
    """One operation: its answers by status, and what every route may answer besides."""
    responses = {str(status): error(status, says) for status, says in ALWAYS.items()}
    responses |= {
        str(status): error(status, answer) if isinstance(answer, str) else answer
        for status, answer in answers.items()
    }
    said = {"description": about} if about else {}
    return {"summary": summary, **said, **more, "responses": dict(sorted(responses.items()))}


def error(status: int, says: str) -> Part:
    """An answer that is one sentence, as JSON."""
    headers: dict[str, Any] = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = {"description": "In s.", "required": True, "schema": {"type": "integer"}}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = {"required": True, "schema": {"type": "string"}}
    said = {"headers": headers} if headers else {}
    return {"description": says, **said, "content": json_of({"$ref": "#/components/schemas/Error"})}


def json_of(schema: Schema) -> Part:
    """JSON of a schema."""
    return {"application/json": {"schema": schema}}


def answer(says: str, name: str, many: bool = False) -> Part:
    """JSON of a named schema, or a list of it."""
    schema: Schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": says, "content": json_of(rows(schema) if many else schema)}


def file(says: str, *types: str) -> Part:
    """A file of one of these types, HTML where none is said."""
    return {"description": says, "content": {kind: {} for kind in types or ("text/html",)}}


def parameter(given: Parameter, place: str = "query") -> Part:
    """A parameter as OpenAPI has it. What may be given twice is a list there."""
    kind = {str: "string", int: "integer", float: "number"}[given.kind]
    schema: Schema = {"type": kind}
    bounds = {"minimum": given.least, "maximum": given.greatest, "default": given.default}
    schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    if given.choices:
        schema["enum"] = list(given.choices)
    if given.pattern:
        schema["pattern"] = f"^{given.pattern.pattern}$"
    if given.required:
        schema["minLength"] = 1
    if given.times > 1:
        default = {"default": [schema.pop("default")]} if "default" in schema else {}
        schema = rows(schema) | {"maxItems": given.times, "uniqueItems": True} | default
    said = {"name": given.name, "in": place, "description": given.about, "schema": schema}
    return said | ({"required": True} if given.required else {})


def event_stream(events: dict[str, str]) -> Part:
    """The answer that is a stream of these server-sent events; its schema is that of each event."""
    return {
        "description": "Events, each as the schema has it; message is one without a name.",
        "headers": {"Cache-Control": {"schema": {"const": "no-store"}}},
        "content": {"text/event-stream": {"schema": {"oneOf": [_event(*each) for each in events.items()]}}},
    }


def _event(event: str, name: str) -> Schema:
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": f"#/components/schemas/{name}"},
    }
    said: dict[str, Schema] = {"event": {"const": event}, "data": data}
    number = {"id": {"type": "string", "pattern": "^[0-9]+$", "description": "To go on behind it."}}
    return record(said | number) if event == "message" else record(said, number)
