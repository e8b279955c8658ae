"""Made-up videos with known positions, as the messages that the real server would send for them.

Each animal is a dark blob with a head and a tail that circle on a gray ground; where they are in each
frame is known exactly, so that what the page draws can be held against it.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

WEAK = 0.12
"""The score of the false peak that each frame has: over the page's floor, under its default threshold."""


APART, APART_FROM = 12.0, 40
"""The second model is right up to a frame, and from that on so many px off."""

_RED = np.full((4, 4, 4), (0, 0, 255, 120), np.uint8)
PNG = "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", _RED)[1].tobytes()).decode()


@dataclass(frozen=True)
class Recording:
    """The events of one run, ready to be sent: `messages[i]` is frame i."""

    width: int
    height: int
    fps: float
    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    animals: int
    messages: list[dict[str, Any]] = field(repr=False)
    encoded: list[bytes] = field(repr=False)

    def start(self, video: str, model: str) -> dict[str, Any]:
        """The `start` event's data."""
        return {
            "run_id": "replayed-run",
            "video_name": video,
            "model_name": model,
            "model_names": [model],
            "width": self.width,
            "height": self.height,
            "fps": self.fps,
            "n_frames": len(self.messages),
            "nodes": list(self.nodes),
            "edges": [list(edge) for edge in self.edges],
            "symmetries": [],
            "classes": [],
            "many": self.animals > 1,
            "layers": ["confmaps", "pafs"],
            "threshold": 0.2,
            "tracking": "simple" if self.animals > 1 else None,
            "recorded": True,
            "compare": None,
        }

    def asked(self, index: int, query: dict[str, str]) -> bytes:
        """A frame's event with what the query asks for beside it: maps, and a second model some px off."""
        message = dict(self.messages[index])
        if "maps" in query:
            message["maps"] = {"img": PNG, "x": -2.0, "y": -2.0, "width": self.width, "height": self.height}
        if "compare" in query:
            message["compare"] = shifted(message, APART if index >= APART_FROM else 0.0)
        return encoded(message)


def position(frame: int, animal: int, node: int, nodes: int, size: int) -> tuple[float, float]:
    """Where a node (x, y) is: the animals circle, a body's nodes lie along its way."""
    turn = frame / 25 + animal * 2.4 - node * 0.9 / max(nodes - 1, 1)
    radius = size * (0.36 - 0.06 * (animal % 5))
    return size / 2 + radius * math.cos(turn), size / 2 + radius * math.sin(turn)


@lru_cache(maxsize=8)
def make_recording(
    frames: int = 150, size: int = 384, animals: int = 1, nodes: int = 2, fps: float = 25.0
) -> Recording:
    """A recording with `animals * nodes` true peaks and one weak false peak in each frame."""
    rng = np.random.default_rng(7)
    ground = cv2.GaussianBlur(rng.normal(150, 60, (size, size)).astype(np.float32), (0, 0), size / 40)
    names = ("head", "tail") if nodes == 2 else tuple(f"node {i}" for i in range(nodes))
    messages = []
    for index in range(frames):
        picture = np.clip(ground + rng.normal(0, 3, ground.shape), 0, 255).astype(np.uint8)
        points, values, kinds, instances = [], [], [], []
        for animal in range(animals):
            where = [position(index, animal, node, nodes, size) for node in range(nodes)]
            line = np.round(np.array(where)).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(picture, [line], False, 40, max(3, size // 28), cv2.LINE_AA)
            for node, (x, y) in enumerate(where):
                points.append([round(x, 3), round(y, 3)])
                values.append(round(0.75 + 0.2 * math.sin(index / 9 + node), 4))
                kinds.append(node)
            of_animal = [
                [*point, value] for point, value in zip(points[-nodes:], values[-nodes:], strict=True)
            ]
            track = animal if animals > 1 else None
            instances.append({"points": of_animal, "score": 0.9, "track": track, "class": None})
        points.append([size * 0.1, size * 0.1])
        values.append(WEAK)
        kinds.append(0)
        jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
        messages.append(
            {
                "frame_idx": index,
                "img": "data:image/jpeg;base64," + base64.b64encode(jpeg).decode(),
                "peak_points": points,
                "peak_vals": values,
                "peak_nodes": kinds,
                "instances": instances,
                "timing": {"decode": 0.6, "queue": 3.0, "predict": 14.0, "peaks": 0.2, "jpeg": 0.1},
            }
        )
    edges = tuple((i, i + 1) for i in range(nodes - 1))
    return Recording(size, size, fps, names, edges, animals, messages, [encoded(m) for m in messages])


def encoded(message: dict[str, Any]) -> bytes:
    """A frame's event."""
    return f"id: {message['frame_idx']}\ndata: {json.dumps(message)}\n\n".encode()


def shifted(message: dict[str, Any], by: float) -> dict[str, Any]:
    """What a second model finds: the same, so many px to the right."""
    return {
        "peak_points": [[x + by, y] for x, y in message["peak_points"]],
        "peak_vals": message["peak_vals"],
        "peak_nodes": message["peak_nodes"],
        "instances": [
            {**one, "points": [[x + by, y, score] for x, y, score in one["points"]]}
            for one in message["instances"]
        ],
    }
