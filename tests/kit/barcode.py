"""Videos whose frames carry their own number, so that a test can tell which frame it really got.

A frame shows its number as `BITS` squares in its top row, white for 1, the lowest bit first. The
squares are coarse enough to survive JPEG compression at any quality.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

BITS = 16
CODECS = {".mp4": "mp4v", ".ts": "mp2v", ".mpg": "PIM1", ".wmv": "WMV2", ".flv": "FLV1", ".webm": "VP80"}


def draw(index: int, width: int = 128, height: int = 96, channels: int = 1) -> np.ndarray:
    """A (height, width, channels) uint8 frame that carries `index`."""
    size = width // BITS
    edges = [round(bit * width / BITS) for bit in range(BITS + 1)]
    frame = np.full((height, width, channels), 60, np.uint8)
    for bit in range(BITS):
        frame[:size, edges[bit] : edges[bit + 1]] = 255 if index >> bit & 1 else 0
    if channels == 3:
        frame[size:, :, 0] = 200
    return frame


def read(frame: np.ndarray) -> int:
    """The number that a frame carries; gray or colour, any size."""
    gray = frame if frame.ndim == 2 else frame[..., 0]
    size = gray.shape[1] / BITS
    middle = round(size / 2)
    return sum((gray[middle, int((bit + 0.5) * size)] > 127) << bit for bit in range(BITS))


def write(path: Path, count: int, **look: int) -> Path:
    """Write a video of `count` numbered frames at 30 frames/s; its ending chooses the container."""
    return write_frames(path, (draw(index, **look) for index in range(count)))


def write_frames(path: Path, frames: Iterable[np.ndarray]) -> Path:
    """Write a video of these RGB or gray frames at 30 frames/s."""
    codec = cv2.VideoWriter.fourcc(*CODECS.get(path.suffix, "MJPG"))
    writer = None
    for frame in frames:
        if writer is None:
            writer = cv2.VideoWriter(str(path), codec, 30.0, (frame.shape[1], frame.shape[0]))
            assert writer.isOpened()
        code = cv2.COLOR_GRAY2BGR if frame.shape[2] == 1 else cv2.COLOR_RGB2BGR
        writer.write(cv2.cvtColor(frame, code))
    if writer is not None:
        writer.release()
    return path
