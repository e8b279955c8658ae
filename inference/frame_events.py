"""What the events of a video's run say as server-sent events: `event_of` gives the bytes. Pure."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.messages import (
    Failed,
    Instances,
    Layer,
    ModelInfo,
    PosePrediction,
    RunDone,
    RunFailed,
    RunStarted,
    RunStatus,
    Tracked,
    ViewerEvent,
)
from inference.sse import encode

POINT_DIGITS, VALUE_DIGITS = 4, 6


def event_of(event: ViewerEvent) -> bytes:
    """The server-sent event that tells a viewer of a run's event."""
    match event:
        case Tracked():
            return encode(_message(event), index=event.result.index)
        case RunStarted():
            return encode(_start(event), "start")
        case RunStatus(state, message):
            return encode({"state": state, "message": message}, "status")
        case Failed():
            return encode({"frame_idx": event.index, "message": event.message}, "failure", event.index)
        case RunFailed(message):
            return encode({"frame_idx": None, "message": message}, "failure")
        case RunDone(items):
            return encode({"frames": items}, "done")


def _start(event: RunStarted) -> dict[str, Any]:
    video = event.video
    return {
        "run_id": event.run,
        "video_name": event.video_name,
        "width": video.width,
        "height": video.height,
        "fps": video.fps,
        "n_frames": video.n_frames,
        **_model(event.model_names, event.model),
        "threshold": event.options.threshold,
        "tracking": event.tracking.candidates if event.tracking else None,
        "recorded": event.recorded,
        "live": event.live,
        "compare": _model(event.compare_names, event.compare) if event.compare else None,
    }


def _model(names: tuple[str, ...], info: ModelInfo) -> dict[str, Any]:
    return {"model_name": " + ".join(names), "model_names": names, **vars(info)}


def _message(event: Tracked) -> dict[str, Any]:
    result = event.result
    message: dict[str, Any] = {"frame_idx": result.index}
    if result.image:
        message["img"] = "data:image/jpeg;base64," + base64.b64encode(result.image).decode("ascii")
    message |= _pose(result.prediction, event.model, event.tracks)
    if result.prediction.layer is not None:
        message["maps"] = _layer(result.prediction.layer)
    if result.compare is not None and event.compare is not None:
        message["compare"] = _pose(result.compare, event.compare, event.compare_tracks)
    message["timing"] = result.timing
    if event.live is not None:
        message["live"] = vars(event.live)
    return message


def _pose(prediction: PosePrediction, info: ModelInfo, tracks: tuple[int | None, ...]) -> dict[str, Any]:
    return {
        "peak_points": _listed(prediction.points, POINT_DIGITS),
        "peak_vals": _listed(prediction.values, VALUE_DIGITS),
        "peak_nodes": prediction.nodes.tolist(),
        "instances": _instances(prediction.instances, info, tracks),
    }


def _listed(rows: npt.NDArray[np.floating], digits: int) -> list[Any]:
    """Numbers (n,) or points (n, 2) as JSON can say them: null for each that is not finite."""
    finite = np.isfinite(rows)
    if rows.ndim > 1:
        finite = finite.all(axis=1)
    listed: list[Any] = rows.round(digits).tolist()
    # most frames have none of these, and are done
    return listed if finite.all() else [row if ok else None for row, ok in zip(listed, finite, strict=True)]


def _instances(instances: Instances, info: ModelInfo, tracks: tuple[int | None, ...]) -> list[dict[str, Any]]:
    scores = _listed(instances.scores, VALUE_DIGITS)
    return [
        {
            "points": [
                None if point is None else [*point, value]
                for point, value in zip(
                    _listed(instances.points[i], POINT_DIGITS),
                    _listed(instances.values[i], VALUE_DIGITS),
                    strict=True,
                )
            ],
            "score": scores[i],
            "track": tracks[i],
            "class": info.classes[one] if one >= 0 else None,
        }
        for i, one in enumerate(instances.classes.tolist())
    ]


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "img": "data:image/png;base64," + base64.b64encode(layer.png).decode("ascii"),
        "x": layer.left,
        "y": layer.top,
        "width": layer.width,
        "height": layer.height,
    }
