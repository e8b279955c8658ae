"""What the HTTP interface's JSON looks like, as JSON schemas: made from the dataclasses that are sent.

Pure. What has no dataclass of its own (an error, a frame as `frame_events.py` writes it) is written out here.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Literal, Union

from inference.listing import Summary
from inference.messages import LiveFrame, ModelInfo
from inference.pipeline import Health
from inference.query import CANDIDATES

Schema = dict[str, Any]

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


def of(hint: Any) -> Schema:
    """The schema of a type: a plain one, one of dataclasses, tuples and dicts of them, or None besides."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return or_null(of(arguments[0]))
    if origin is tuple and arguments[-1] is not Ellipsis:
        return row(*map(of, arguments))
    if origin in (tuple, list):
        return rows(of(arguments[0]))
    hints = typing.get_type_hints(hint)
    return record({field.name: of(hints[field.name]) for field in dataclasses.fields(hint)})


def record(
    properties: dict[str, Schema], optional: dict[str, Schema] | None = None, about: str = ""
) -> Schema:
    """An object with all of these properties, perhaps the optional ones, and no others."""
    said: Schema = {"description": about} if about else {}
    return said | {
        "type": "object",
        "properties": properties | (optional or {}),
        "required": list(properties),
        "additionalProperties": False,
    }


def rows(items: Schema) -> Schema:
    """A list of any length."""
    return {"type": "array", "items": items}


def row(*items: Schema) -> Schema:
    """A list of these, in this order."""
    count = len(items)
    return {"type": "array", "prefixItems": list(items), "minItems": count, "maxItems": count}


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def text(about: str) -> Schema:
    """A text, and what it is."""
    return {"type": "string", "description": about}


def number(about: str) -> Schema:
    """A number, and what it is."""
    return {"type": "number", "description": about}


def whole(about: str, least: int = 0) -> Schema:
    """A whole number, and what it is."""
    return {"type": "integer", "minimum": least, "description": about}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_NUMBER = {"type": "number"}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_SCORE = or_null({"type": "number"})
"""Null where the model gave a number that is not finite; likewise a point."""
_NAMED = {"model_name": text("Its name, or both names joined by +."), "model_names": rows({"type": "string"})}
_POSE = {
    "peak_points": rows(or_null(row(_NUMBER, _NUMBER)))
    | {"description": "All peaks, grouped or not: [x, y] in px, (0, 0) the centre of the top left one."},
    "peak_vals": rows(_SCORE) | {"description": "Their scores."},
    "peak_nodes": rows({"type": "integer", "minimum": 0}) | {"description": "Their positions in nodes."},
    "instances": rows(_ref("Instance")),
}
_MAPS = record(
    {
        "img": text("A PNG as a data URL."),
        "x": number("Its left edge in px."),
        "y": number("Its top edge in px."),
        "width": number("In px."),
        "height": number("In px."),
    }
)

EVENTS = {
    "status": "StatusEvent",
    "start": "StartEvent",
    "message": "FrameEvent",
    "failure": "FailureEvent",
    "done": "DoneEvent",
}
"""A stream of predictions: its events and the schemas of their data; a message is an event without a name."""
TEXT_EVENTS = {
    "status": "StatusEvent",
    "start": "TextStartEvent",
    "message": "TextEvent",
    "failure": "TextFailureEvent",
    "done": "TextDoneEvent",
}
"""Those of a text."""

SCHEMAS: dict[str, Schema] = {
    "Error": record({"error": text("What happened, where, and what to do.")}),
    "Health": of(Health),
    "Summary": of(Summary),
    "Limits": record({"upload_bytes": whole("How large an uploaded video may be.")}),
    "Uploaded": record({"video_name": text("The name that the video got.")}),
    "Share": record({"share": or_null({"type": "number", "minimum": 0, "maximum": 1})}),
    "Instance": record(
        {
            "points": rows(or_null(row(_NUMBER, _NUMBER, _SCORE)))
            | {"description": "[x, y, score] for each node, null where it was not found."},
            "score": _SCORE,
            "track": or_null(whole("Its identity, from 0; null: none.")),
            "class": or_null(text("The individual that the model takes it for; null: none.")),
        }
    ),
    "StatusEvent": record(
        {"state": text("One word."), "message": text("A sentence.")}, about="What is being waited for."
    ),
    "StartEvent": record(
        {
            "run_id": text("What the run is recorded as."),
            "video_name": text("The video."),
            "width": whole("The video's, in px."),
            "height": whole("The video's, in px."),
            "fps": or_null(number("What the container claims, in frames/s.")),
            "n_frames": or_null(whole("What the container claims.")),
            **_NAMED,
            **of(ModelInfo)["properties"],
            "threshold": number("Peaks above this score are sent."),
            "tracking": {"enum": [*CANDIDATES, None], "description": "How animals are followed, or null."},
            "recorded": {"type": "boolean", "description": "Is the run written down?"},
            "live": {"type": "boolean", "description": "Is it a live source?"},
            "compare": or_null(record(_NAMED | of(ModelInfo)["properties"])),
        },
        about="The first frame comes next. The second model, if there is one, is described by compare.",
    ),
    "FrameEvent": record(
        {
            "frame_idx": whole("The frame, from 0; the event's id as well."),
            **_POSE,
            "timing": {"type": "object", "additionalProperties": _NUMBER, "description": "ms by stage."},
        },
        {
            "img": text("A JPEG as a data URL."),
            "maps": _MAPS,
            "compare": record(_POSE),
            "live": of(LiveFrame),
        },
        about="One frame. maps and compare where asked for, live where the source is.",
    ),
    "FailureEvent": record(
        {
            "frame_idx": or_null(whole("The frame that failed; null: the run is over.")),
            "message": text("Why."),
        }
    ),
    "DoneEvent": record({"frames": whole("Messages in this response.")}, about="Every frame was sent."),
    "TextModel": record(
        {
            "model_name": text("The model."),
            "vocabulary": rows({"type": "string"})
            | {"description": "Each id's character; id 0 is the empty text."},
            "counts": or_null(rows(whole("How often the training text has the character of that id."))),
            "text": or_null(text("What the model was trained on, in words.")),
        }
    ),
    "TextStartEvent": record(
        {
            "run_id": text("The run, in the log."),
            "model_name": text("The model."),
            "length": whole("Characters to come.", least=1),
            "seed": text("What they follow."),
            "top_n": whole("As asked for.", least=1),
            "temperature": number("As asked for."),
            "random_state": whole("As asked for, or drawn: asked for, it gives the same text again."),
            "vocabulary": whole("Characters that the model knows, and one for all others.", least=2),
            "unknown": rows(text("A character of the seed that the model does not know.")),
            "notes": rows(text("A sentence that whoever reads the text has to know.")),
            "engine": text("What runs the model."),
        },
        about="The first characters come next.",
    ),
    "TextEvent": record(
        {
            "index": whole("Of its first character, from 0; the event's id as well."),
            "text": text("1 to 64 characters (code points)."),
            "probs": rows(_SHARE) | {"description": "What the model itself gave each of them."},
            "entropies": rows(_NUMBER)
            | {"description": "How unsure the model was at each of them, in bits."},
            "alternatives": rows(rows(row({"type": "string"}, _SHARE)))
            | {"description": "For each of them, the likeliest characters and their probabilities."},
        },
        about="A few characters. Probabilities are the model's own, before temperature and top_n.",
    ),
    "TextFailureEvent": record({"index": {"type": "null"}, "message": text("Why the text is over.")}),
    "TextDoneEvent": record({"characters": whole("In this response.")}, about="Every character was sent."),
}
