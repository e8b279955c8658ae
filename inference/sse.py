"""Server-sent events: text frames as the HTML standard defines them, and what a run's events say in them.

Pure. `encode` makes one event; `event_of` gives the bytes for an event of a run; `HEARTBEAT` is a
comment that keeps a silent connection alive.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from inference.messages import (
    Failed,
    PosePrediction,
    Result,
    RunDone,
    RunEvent,
    RunFailed,
    RunStarted,
    RunStatus,
)

HEARTBEAT = b": \n\n"
POINT_DIGITS, VALUE_DIGITS = 4, 6


def encode(data: dict[str, Any], event: str | None = None, index: int | None = None) -> bytes:
    """One event, with `index` as its id; without a name it is a plain message. A NaN is a ValueError."""
    lines = []
    if event is not None:
        lines.append(f"event: {event}")
    if index is not None:
        lines.append(f"id: {index}")
    lines.append("data: " + json.dumps(data, separators=(",", ":"), allow_nan=False))
    return ("\n".join(lines) + "\n\n").encode()


def event_of(event: RunEvent) -> bytes:
    """The server-sent event that tells a viewer of a run's event."""
    match event:
        case Result():
            return encode(_message(event), index=event.frame)
        case RunStarted():
            return encode(_start(event), "start")
        case RunStatus(state, message):
            return encode({"state": state, "message": message}, "status")
        case Failed():
            return encode({"frame_idx": event.frame, "message": event.message}, "failure", event.frame)
        case RunFailed(message):
            return encode({"frame_idx": None, "message": message}, "failure")
        case RunDone(frames):
            return encode({"frames": frames}, "done")


def _start(event: RunStarted) -> dict[str, Any]:
    video = event.video
    return {
        "run_id": event.run,
        "video_name": event.video_name,
        "model_name": event.model_name,
        "width": video.width,
        "height": video.height,
        "fps": video.fps,
        "n_frames": video.n_frames,
        "nodes": event.model.nodes,
        "edges": event.model.edges,
    }


def _message(result: Result) -> dict[str, Any]:
    return {
        "frame_idx": result.frame,
        "img": "data:image/jpeg;base64," + base64.b64encode(result.image).decode("ascii"),
        **_pose(result.prediction),
        "timing": result.timing,
    }


def _pose(prediction: PosePrediction) -> dict[str, Any]:
    return {
        "peak_points": prediction.points.round(POINT_DIGITS).tolist(),
        "peak_vals": prediction.values.round(VALUE_DIGITS).tolist(),
        "peak_nodes": prediction.nodes.tolist(),
    }
