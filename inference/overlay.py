"""Drawing a frame's animals onto it: skeletons, points, names, in the colours of the page. Pure.

Sizes grow with the frame's smaller side, so that they look the same on any screen.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from inference.messages import Frame, Instances, ModelInfo
from inference.palette import Color, color

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) uint8, red, green, blue, even in both."""

_SMALL = 384
"""The smaller side, in px, of a frame on which a line is 1 px wide."""
_SUBPIXEL = 4
_FAR = 1e5
_WHITE: Color = (255, 255, 255)
_BLACK: Color = (0, 0, 0)

_Point = npt.NDArray[np.float64]


def canvas(frame: Frame) -> Picture:
    """A copy in colour, with one px more of black at the right and bottom where a side is odd."""
    height, width = frame.shape[:2]
    out = np.zeros((even(height), even(width), 3), np.uint8)
    out[:height, :width] = frame
    return out


def even(side: int) -> int:
    """A canvas' side, in px, for a frame's."""
    return side + side % 2


def draw(picture: Picture, instances: Instances, tracks: tuple[int | None, ...], info: ModelInfo) -> None:
    """Draw a frame's animals onto it, each in its identity's colour; without identity, nodes in theirs.

    `tracks` are the identities, one an instance. What lies off the picture is cut off.
    """
    unit = max(1.0, min(picture.shape[:2]) / _SMALL)
    for points, track in zip(instances.points, tracks, strict=True):
        found = np.isfinite(points).all(axis=1)
        for source, destination in info.edges:
            if found[source] and found[destination]:
                ink = _WHITE if track is None else color(track)
                _line(picture, points[source], points[destination], ink, round(unit))
        for node in np.flatnonzero(found):
            _dot(picture, points[node], color(int(node) if track is None else track), 2.5 * unit)
        if track is not None and found.any():
            _name(picture, points[found], _called(track, info), color(track), unit)


def _called(track: int, info: ModelInfo) -> str:
    return info.classes[track] if track < len(info.classes) else f"track {track}"


def _fixed(point: _Point) -> tuple[int, int]:
    """In OpenCV's fractions of px; far off, where they would not fit its integers, only far off."""
    x, y = np.rint(np.clip(point, -_FAR, _FAR) * (1 << _SUBPIXEL)).astype(int)
    return int(x), int(y)


def _line(picture: Picture, start: _Point, stop: _Point, ink: Color, width: int) -> None:
    cv2.line(picture, _fixed(start), _fixed(stop), ink, width, cv2.LINE_AA, _SUBPIXEL)


def _dot(picture: Picture, point: _Point, ink: Color, radius: float) -> None:
    for size, shade in ((radius * 1.3, _BLACK), (radius, ink)):
        scaled = round(size * (1 << _SUBPIXEL))
        cv2.circle(picture, _fixed(point), scaled, shade, -1, cv2.LINE_AA, _SUBPIXEL)


def _name(picture: Picture, points: _Point, text: str, ink: Color, unit: float) -> None:
    """Above the animal, but never off the picture."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.4 * unit
    (width, height), below = cv2.getTextSize(text, font, scale, 1)
    x = min(max(points[:, 0].mean(), 0), picture.shape[1] - width)
    y = min(max(points[:, 1].min() - 6 * unit, height), picture.shape[0] - below)
    for shade, thickness in ((_BLACK, 3), (ink, 1)):
        cv2.putText(picture, text, (int(x), int(y)), font, scale, shade, thickness, cv2.LINE_AA)
