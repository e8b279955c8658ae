"""Optical flow: where points of one picture are in the next. Pure.

Points are (x, y) float64 in px of the video; pictures may be smaller than the video.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

WINDOW = (21, 21)
LEVELS = 3


def shifted(
    points: npt.NDArray[np.float64], before: npt.NDArray[np.uint8], image: npt.NDArray[np.uint8], scale: float
) -> npt.NDArray[np.float64]:
    """Move `points` (..., 2) from the picture `before` to `image`, both (height, width) uint8.

    `scale` is the pictures' pixels per pixel of the video. Pyramidal Lucas-Kanade (Bouguet 2001), with
    SLEAP's window and levels. NaN stays NaN. A point that is lost stays where it was: when it became NaN,
    fast animals (20 px a frame) were mixed up twice as often.
    """
    there = np.isfinite(points[..., 0])
    if not there.any():
        return points
    # pixel centres are at whole numbers in both
    start = ((points[there] + 0.5) * scale - 0.5).astype(np.float32)
    # the stubs want a place to write to, which OpenCV does without
    moved, found, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]
        before, image, start[:, None], None, winSize=WINDOW, maxLevel=LEVELS
    )
    arrived = (moved[:, 0].astype(np.float64) + 0.5) / scale - 0.5
    result = points.copy()
    result[there] = np.where(found == 1, arrived, points[there])
    return result
