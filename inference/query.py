"""What a request for a stream asks for: its parameters, checked. Pure: no HTTP, no files.

Raises RequestError, which names the parameter and says what it may be.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.errors import RequestError
from inference.messages import PoseOptions, TrackingOptions

DEFAULT_MODEL = "best_model.h5"
RUN_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)
REFINEMENTS = ("integral", "local", "none")
LAYERS = ("confmaps", "pafs")
CANDIDATES = ("simple", "flow")
SIMILARITIES = ("instance", "oks", "centroid", "iou")
MATCHINGS = ("hungarian", "greedy")
_INTEGER = re.compile(r"-?[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True)
class StreamQuery:
    """A request for a stream, as it was asked. Frames are 0-based, `stop` is the first not sent.

    `model_names` are one, or a centroid and a centred-instance model; `compare_names` likewise, or none.
    `track` says whether animals are to be followed, as `tracking` has it; None: where there may be several.
    """

    video_name: str
    model_names: tuple[str, ...]
    compare_names: tuple[str, ...]
    start: int
    stop: int | None
    width: int | None
    heartbeat: float
    run_id: str | None
    options: PoseOptions
    tracking: TrackingOptions
    track: bool | None


def parse_query(given: Mapping[str, Sequence[str]], last_event_id: str | None) -> StreamQuery:
    """Check a stream's parameters, each with all its values; the header `last_event_id` wins over `start`."""
    arguments = {name: values[0] for name, values in given.items() if values}
    video_name = arguments.get("video_name", "")
    if not video_name:
        raise RequestError("video_name is missing: say which video, as GET /get_available_videos lists them.")
    threshold = _number(arguments, "threshold", PoseOptions().threshold)
    start = _integer("start", arguments.get("start", "0"), least=0)
    if last_event_id is not None:
        start = _integer("Last-Event-ID", last_event_id, least=-1) + 1
    return StreamQuery(
        video_name,
        _names(given, "model_name") or (DEFAULT_MODEL,),
        _names(given, "compare"),
        start,
        _integer("stop", arguments["stop"], least=0) if "stop" in arguments else None,
        _integer("width", arguments["width"], least=1) if "width" in arguments else None,
        _number(arguments, "heartbeat", 10.0, least=0.1),
        _run_id(arguments),
        PoseOptions(
            threshold,
            min(threshold, _number(arguments, "floor", threshold)),
            _count(arguments, "max_instances"),
            _choice(arguments, "refinement", REFINEMENTS),
            _choice(arguments, "maps", LAYERS),
        ),
        TrackingOptions(
            _candidates(arguments) or TrackingOptions().candidates,
            _choice(arguments, "similarity", SIMILARITIES) or TrackingOptions().similarity,
            _choice(arguments, "matching", MATCHINGS) or TrackingOptions().matching,
            _count(arguments, "max_tracks"),
            _count(arguments, "track_window") or TrackingOptions().window,
        ),
        None if "tracking" not in arguments else _candidates(arguments) is not None,
    )


def _names(given: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    names = tuple(value for value in given.get(name, ()) if value)
    if len(names) > 2 or (len(names) == 2 and names[0] == names[1]):
        raise RequestError(f"{name} may be given once, or twice for a centroid and a centred-instance model.")
    return names


def _run_id(arguments: Mapping[str, str]) -> str | None:
    run_id = arguments.get("run_id")
    if run_id is not None and not RUN_ID.fullmatch(run_id):
        raise RequestError(f"run_id must be 8 to 64 of A-Z, a-z, 0-9 and -, not {_shown(run_id)}.")
    return run_id


def _choice(arguments: Mapping[str, str], name: str, choices: Sequence[str]) -> str | None:
    value = arguments.get(name)
    if value is not None and value not in choices:
        raise RequestError(f"{name} must be one of {', '.join(choices)}, not {_shown(value)}.")
    return value


def _candidates(arguments: Mapping[str, str]) -> str | None:
    """How to follow animals; None for not at all, or where nothing is said."""
    value = _choice(arguments, "tracking", (*CANDIDATES, "none"))
    return None if value == "none" else value


def _count(arguments: Mapping[str, str], name: str) -> int | None:
    return _integer(name, arguments[name], least=1) if name in arguments else None


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
