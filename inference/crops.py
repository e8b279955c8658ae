"""Square crops around animals, as models that look at one animal at a time were trained on them.

Pure: pixels in, pixels out. Points are (x, y), (0, 0) the centre of the top left pixel.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.messages import Frame


def crop(frame: Frame, centre: npt.NDArray[np.float32], size: int) -> Frame:
    """`size` x `size` samples at `centre` - (size - 1) / 2 + i, bilinear, 0 outside the frame.

    Values are cut down to whole numbers, as in SLEAP, whose crops are uint8. A sample between the last
    pixel and the frame's edge counts as outside. The centre may lie anywhere, even far off the frame.
    """
    height, width = frame.shape[:2]
    start = centre.astype(np.float64) - (size - 1) / 2
    left, top = (int(value) for value in np.floor(start))
    across, down = (np.float32(value) for value in start - np.floor(start))
    window = _window(frame, top, left, size + 1)
    rows = window[:-1] + (window[1:] - window[:-1]) * down
    samples = rows[:, :-1] + (rows[:, 1:] - rows[:, :-1]) * across
    inside_y = _inside(top, float(down), size, height)
    inside_x = _inside(left, float(across), size, width)
    samples *= (inside_y[:, None] & inside_x)[:, :, None]
    return samples.astype(np.uint8)


def _inside(start: int, fraction: float, size: int, pixels: int) -> npt.NDArray[np.bool_]:
    at = start + fraction + np.arange(size)
    return (at >= 0) & (at <= pixels - 1)


def _window(frame: Frame, top: int, left: int, side: int) -> npt.NDArray[np.float32]:
    """The pixels from (top, left) on as float32, 0 where the frame has none."""
    height, width, channels = frame.shape
    window = np.zeros((side, side, channels), np.float32)
    y0, y1 = max(top, 0), min(top + side, height)
    x0, x1 = max(left, 0), min(left + side, width)
    if y0 < y1 and x0 < x1:
        window[y0 - top : y1 - top, x0 - left : x1 - left] = frame[y0:y1, x0:x1]
    return window
