"""What a request for a stream of predictions asks for: its parameters, checked. Pure: no HTTP, no files.

Raises RequestError, which names the parameter and says what it may be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.errors import RequestError
from inference.messages import PoseOptions, TrackingOptions
from inference.parameters import Parameter, integer, read

DEFAULT_MODEL = "best_model.h5"
RUN_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)
REFINEMENTS = ("integral", "local", "none")
LAYERS = ("confmaps", "pafs")
CANDIDATES = ("simple", "flow")
SIMILARITIES = ("instance", "oks", "centroid", "iou")
MATCHINGS = ("hungarian", "greedy")


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
    said = read(PARAMETERS, given)
    if not said["video_name"]:
        raise RequestError("video_name is missing: say which video, as GET /get_available_videos lists them.")
    if last_event_id is not None:
        said["start"] = integer(LAST_EVENT_ID, last_event_id) + 1
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
