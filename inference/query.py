"""What a request for a stream asks for: its parameters, checked. Pure: no HTTP, no files.

Raises RequestError, which names the parameter and says what it may be.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.errors import RequestError
from inference.messages import PoseOptions, TrackingOptions

DEFAULT_MODEL = "best_model.h5"
RUN_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)
REFINEMENTS = ("integral", "local", "none")
LAYERS = ("confmaps", "pafs")
CANDIDATES = ("simple", "flow")
SIMILARITIES = ("instance", "oks", "centroid", "iou")
MATCHINGS = ("hungarian", "greedy")
LARGEST = 10**15 - 1
"""No frame, size or count is larger."""
_INTEGER = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_NUMBER = re.compile(r"[-+]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][-+]?[0-9]{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Parameter:
    """One thing that may be asked for: what it may be, and in words what it is.

    `kind` is str, int or float. `least` and `most` bound a number, `choices` or `pattern` a text; `times` is
    how often it may be given. `default` None: what `about` says.
    """

    name: str
    kind: type
    about: str
    default: str | int | float | None = None
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    times: int = 1
    required: bool = False


_OPTIONS, _TRACKING = PoseOptions(), TrackingOptions()

PARAMETERS = (
    Parameter(
        "video_name",
        str,
        "The video, as GET /get_available_videos lists it: a file, or a live source such as camera:0.",
        required=True,
    ),
    Parameter(
        "model_name",
        str,
        "The model, as GET /get_available_models lists it; twice for a centroid and a centred-instance "
        "model, in any order.",
        DEFAULT_MODEL,
        times=2,
    ),
    Parameter(
        "compare", str, "A second model for the same frames; twice for a pair. Default: none.", times=2
    ),
    Parameter(
        "start",
        int,
        "The first frame sent, from 0. Of a live source, frames are numbered from it as they are taken.",
        0,
        least=0,
    ),
    Parameter("stop", int, "The first frame not sent any more. Default: the end.", least=0),
    Parameter(
        "threshold",
        float,
        "Peaks above this score are sent, and instances are made of them.",
        _OPTIONS.threshold,
    ),
    Parameter(
        "floor",
        float,
        "Weaker peaks down to this score are added, at most 50 a node. Default: the threshold.",
    ),
    Parameter("width", int, "The width of img in px, at most the video's. Default: the video's.", least=1),
    Parameter("heartbeat", float, "A comment is sent after so many silent seconds.", 10.0, least=0.1),
    Parameter("max_instances", int, "The best so many animals of a frame. Default: all.", least=1),
    Parameter(
        "refinement",
        str,
        "How peaks are refined: exactly that. Default: by the model's offsets, else integral.",
        choices=REFINEMENTS,
    ),
    Parameter("maps", str, "A picture of these maps with each frame. Default: none.", choices=LAYERS),
    Parameter(
        "tracking",
        str,
        "How animals are followed; flow is optical flow. Default: simple where there may be several animals.",
        choices=(*CANDIDATES, "none"),
    ),
    Parameter("max_tracks", int, "Identities at most. Default: any number.", least=1),
    Parameter("track_window", int, "Frames to look back.", _TRACKING.window, least=1, most=1000),
    Parameter("similarity", str, "How animals are compared.", _TRACKING.similarity, choices=SIMILARITIES),
    Parameter("matching", str, "How animals are assigned to tracks.", _TRACKING.matching, choices=MATCHINGS),
    Parameter(
        "run_id",
        str,
        "8 to 64 of A-Z, a-z, 0-9 and -: the same id goes on with that run's record. Of another video, model "
        "or setting: 409. Live sources: not looked at. Default: a new one.",
        pattern=RUN_ID,
    ),
)
"""What a stream may be asked with; the interface's description says the same."""

LAST_EVENT_ID = Parameter(
    "Last-Event-ID",
    int,
    "The last frame that is there already: the stream goes on at the next one, whatever start says.",
    least=-1,
)


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
    said = {each.name: _said(each, given.get(each.name, ())) for each in PARAMETERS}
    if not said["video_name"]:
        raise RequestError("video_name is missing: say which video, as GET /get_available_videos lists them.")
    if last_event_id is not None:
        said["start"] = _integer(LAST_EVENT_ID, last_event_id) + 1
    threshold, floor = said["threshold"], said["floor"]
    tracking = said["tracking"]
    return StreamQuery(
        said["video_name"],
        said["model_name"] or (DEFAULT_MODEL,),
        said["compare"],
        said["start"],
        said["stop"],
        said["width"],
        said["heartbeat"],
        said["run_id"],
        PoseOptions(
            threshold,
            threshold if floor is None else min(threshold, floor),
            said["max_instances"],
            said["refinement"],
            said["maps"],
        ),
        TrackingOptions(
            _TRACKING.candidates if tracking in (None, "none") else tracking,
            said["similarity"],
            said["matching"],
            said["max_tracks"],
            said["track_window"],
        ),
        None if tracking is None else tracking != "none",
    )


def _said(parameter: Parameter, values: Sequence[str]) -> Any:
    """What is said of a parameter: its value, or a tuple of them where it may be given more than once."""
    if parameter.times > 1:
        return _names(parameter, values)
    if len(values) > 1:
        raise RequestError(f"{parameter.name} may be given once.")
    if not values:
        return parameter.default
    read = {int: _integer, float: _number, str: _text}[parameter.kind]
    return read(parameter, values[0])


def _names(parameter: Parameter, values: Sequence[str]) -> tuple[str, ...]:
    names = tuple(value for value in values if value)
    if len(names) > parameter.times or len(set(names)) < len(names):
        raise RequestError(
            f"{parameter.name} may be given once, or twice for a centroid and a centred-instance model."
        )
    return names


def _text(parameter: Parameter, text: str) -> str:
    if parameter.choices and text not in parameter.choices:
        raise RequestError(
            f"{parameter.name} must be one of {', '.join(parameter.choices)}, not {_shown(text)}."
        )
    if parameter.pattern and not parameter.pattern.fullmatch(text):
        raise RequestError(f"{parameter.name} must be 8 to 64 of A-Z, a-z, 0-9 and -, not {_shown(text)}.")
    return text


def _integer(parameter: Parameter, text: str) -> int:
    if not _INTEGER.fullmatch(text) or not _within(parameter, int(text)):
        raise RequestError(f"{parameter.name} must be a whole number{_range(parameter)}, not {_shown(text)}.")
    return int(text)


def _number(parameter: Parameter, text: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value) or not _within(parameter, value):
        raise RequestError(f"{parameter.name} must be a number{_range(parameter)}, not {_shown(text)}.")
    return value


def _within(parameter: Parameter, value: float) -> bool:
    return (parameter.least is None or value >= parameter.least) and (
        parameter.most is None or value <= parameter.most
    )


def _range(parameter: Parameter) -> str:
    least = "" if parameter.least is None else f" from {parameter.least}"
    return least if parameter.most is None else f"{least} to {parameter.most}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
