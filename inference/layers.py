"""Pictures of a model's maps, to be laid over the frame that they were computed from. Pure.

Confidence maps show each keypoint in its node's colour, part affinity fields their direction as a hue; both
are the more opaque the stronger they are.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from inference.images import Geometry
from inference.messages import Layer
from inference.palette import color

Map = npt.NDArray[np.float32]

OPACITY = 0.85


def of_confmaps(maps: Map, geometry: Geometry) -> Layer:
    """Confidence maps (height, width, nodes): the strongest node's colour in each cell."""
    palette = np.array([color(node) for node in range(maps.shape[2])], np.uint8)
    return _layer(palette[maps.argmax(axis=2)], maps.max(axis=2), geometry)


def of_pafs(pafs: Map, geometry: Geometry) -> Layer:
    """Part affinity fields (height, width, 2 * edges), x, y of each edge: the strongest one's direction."""
    fields = pafs.reshape(*pafs.shape[:2], -1, 2)
    strength = np.hypot(fields[..., 0], fields[..., 1])
    strongest = strength.argmax(axis=2)[..., None]
    x, y = (np.take_along_axis(fields[..., axis], strongest, axis=2)[..., 0] for axis in (0, 1))
    hue = (np.degrees(np.arctan2(y, x)) % 360) / 2
    colors = np.dstack([np.nan_to_num(hue), np.full_like(hue, 200), np.full_like(hue, 255)]).astype(np.uint8)
    hues = np.asarray(cv2.cvtColor(colors, cv2.COLOR_HSV2RGB), np.uint8)
    return _layer(hues, strength.max(axis=2), geometry)


def _layer(colors: npt.NDArray[np.uint8], strength: Map, geometry: Geometry) -> Layer:
    height, width = strength.shape
    alpha = np.clip(np.nan_to_num(strength), 0, 1) * (255 * OPACITY)
    picture = np.dstack([colors[..., ::-1], alpha.astype(np.uint8)])
    # fast rather than small: it is made for every frame, and travels over loopback
    png = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    edges = geometry.to_frame(np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]], np.float32))
    (left, top), (right, bottom) = edges.tolist()
    return Layer(png, left, top, right - left, bottom - top)
