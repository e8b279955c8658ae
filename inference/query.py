"""What a request for a stream asks for: its parameters, checked. Pure: no HTTP, no files.

Raises RequestError, which names the parameter and says what it may be.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from inference.errors import RequestError
from inference.messages import PoseOptions

DEFAULT_MODEL = "best_model.h5"
_INTEGER = re.compile(r"-?[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True)
class StreamQuery:
    """A request for a stream, as it was asked. Frames are 0-based, `stop` is the first not sent."""

    video_name: str
    model_name: str
    start: int
    stop: int | None
    width: int | None
    heartbeat: float
    options: PoseOptions


def parse_query(arguments: Mapping[str, str], last_event_id: str | None) -> StreamQuery:
    """Check a stream's parameters; `last_event_id` is the header, which wins over `start`."""
    video_name = arguments.get("video_name", "")
    if not video_name:
        raise RequestError("video_name is missing: say which video, as GET /get_available_videos lists them.")
    threshold = _number(arguments, "threshold", PoseOptions().threshold)
    start = _integer("start", arguments.get("start", "0"), least=0)
    if last_event_id is not None:
        start = _integer("Last-Event-ID", last_event_id, least=-1) + 1
    return StreamQuery(
        video_name,
        arguments.get("model_name") or DEFAULT_MODEL,
        start,
        _integer("stop", arguments["stop"], least=0) if "stop" in arguments else None,
        _integer("width", arguments["width"], least=1) if "width" in arguments else None,
        _number(arguments, "heartbeat", 10.0, least=0.1),
        PoseOptions(threshold, min(threshold, _number(arguments, "floor", threshold))),
    )


def _integer(name: str, text: str, least: int) -> int:
    if not _INTEGER.fullmatch(text) or int(text) < least:
        raise RequestError(f"{name} must be a whole number from {least}, not {_shown(text)}.")
    return int(text)


def _number(arguments: Mapping[str, str], name: str, default: float, least: float | None = None) -> float:
    if name not in arguments:
        return default
    try:
        value = float(arguments[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (least is not None and value < least):
        wanted = "a number" if least is None else f"a number from {least}"
        raise RequestError(f"{name} must be {wanted}, not {_shown(arguments[name])}.")
    return value


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
