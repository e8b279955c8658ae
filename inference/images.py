"""From a video frame to a model's input, and from a map's cells back to the video's own pixels.

Pure geometry and pixels: no model, no file. Images are (height, width, channels); sizes are (height,
width); points are (x, y) with (0, 0) at the centre of the top left pixel. Scaling is bilinear with
half-pixel centres and no antialiasing, and padding is zeros at the right and bottom, so that it moves no
point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.messages import Frame

Image = npt.NDArray[np.float32]
"""(height, width, channels) float32, 0 black and 1 white."""

Size = tuple[int, int]
"""(height, width) in pixels."""

_LUMINANCE = np.array([[0.2989, 0.5870, 0.1140]], np.float32)


@dataclass(frozen=True)
class Geometry:
    """How a map's cells lie in the frame: x = (column * stride / scale + shift) / ratio, y likewise.

    `stride` (model input pixels per cell), `scale` (resized pixels per pixel) and `shift` (pixels) are
    (x, y); `ratio` is what the frame was multiplied by to match the size a model was trained for.
    """

    stride: tuple[float, float]
    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)
    ratio: float = 1.0

    @classmethod
    def of_sleap(cls, stride: float, input_scaling: float, ratio: float = 1.0) -> Geometry:
        """SLEAP's rule: x = column * stride, and if the input was scaled, / input_scaling + 0.5."""
        shift = 0.5 if input_scaling != 1 else 0.0
        return cls((stride, stride), (input_scaling, input_scaling), (shift, shift), ratio)

    @classmethod
    def of_plain(cls, stride: tuple[float, float], scale: tuple[float, float]) -> Geometry:
        """A plain model's rule: cell (i, j) is input pixel (i r, j r), then x = (x' + 0.5) / s - 0.5."""
        return cls(stride, scale, (0.5 / scale[0] - 0.5, 0.5 / scale[1] - 0.5))

    def to_frame(self, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Points in cells, (n, 2) (x, y), as (n, 2) float64 (x, y) in the video's own pixels."""
        factor = np.array(self.stride, np.float64) / np.array(self.scale, np.float64)
        return (points * factor + np.array(self.shift, np.float64)) / self.ratio


def to_channels(frame: Frame, channels: int) -> Frame:
    """The frame with 1 (gray) or 3 (red, green, blue) channels; itself where nothing is to do.

    Gray becomes three equal channels. Colour becomes luminance as TensorFlow's `rgb_to_grayscale` gives
    it for uint8: float32 weights, then scaled by 255.5 and cut off, not rounded.
    """
    if frame.shape[2] == channels:
        return frame
    if channels == 3:
        return np.repeat(frame, 3, axis=2)
    unit = np.multiply(frame, np.float32(1 / 255), dtype=np.float32)
    gray = cv2.transform(unit, _LUMINANCE).reshape(*frame.shape[:2], 1)
    return (gray * np.float32(255.5)).astype(np.uint8)


def to_unit(frame: Frame) -> Image:
    """uint8 0 to 255 as float32 0 to 1."""
    return np.divide(frame, np.float32(255), dtype=np.float32)


def matched(frame: Frame, target: Size) -> tuple[Frame, float]:
    """A frame fitted into another size, keeping its aspect, and the ratio it was multiplied by.

    A frame of that size already stays as it is.
    """
    height, width = frame.shape[:2]
    if (height, width) == target:
        return frame, 1.0
    ratio = min(target[0] / height, target[1] / width)
    # the side that limits is hit exactly; the float32 product alone could fall one pixel short of it
    size = (min(target[0], int(height * ratio + 1e-6)), min(target[1], int(width * ratio + 1e-6)))
    return padded(resized(frame, _at_least_one(size)), target), ratio


def scaled(image: Image, scale: float) -> Image:
    """The image resized by a factor; sizes are cut down to whole pixels."""
    if scale == 1:
        return image
    return resized(image, _at_least_one((int(image.shape[0] * scale), int(image.shape[1] * scale))))


def resized(image: npt.NDArray[Any], size: Size) -> npt.NDArray[Any]:
    """The image (uint8 or float32) at another size."""
    if image.shape[:2] == size:
        return image
    out = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return out.reshape(*size, image.shape[2])  # OpenCV drops a single channel


def padded(image: npt.NDArray[Any], size: Size) -> npt.NDArray[Any]:
    """The image in the top left corner of a larger one of zeros."""
    height, width, channels = image.shape
    if (height, width) == size:
        return image
    out = np.zeros((*size, channels), image.dtype)
    out[:height, :width] = image
    return out


def rounded_up(size: Size, stride: int) -> Size:
    """The smallest multiples of a stride that hold a size."""
    return (-(-size[0] // stride) * stride, -(-size[1] // stride) * stride)


def fitted_sizes(frame: Size, free: tuple[int | None, int | None], stride: int) -> tuple[Size, Size]:
    """For a plain model: the size a frame is resized to, and the input it is then padded to.

    `free` is the model's input (height, width), None where any size does. The aspect is kept to the
    nearest whole pixel. A free side is padded to a multiple of `stride`.
    """
    factors = [want / have for want, have in zip(free, frame, strict=True) if want is not None]
    factor = min(factors, default=1.0)
    inner = [
        max(1, round(have * factor)) if want is None else max(1, min(want, round(have * factor)))
        for want, have in zip(free, frame, strict=True)
    ]
    outer = rounded_up((inner[0], inner[1]), stride)
    return (inner[0], inner[1]), (free[0] or outer[0], free[1] or outer[1])


def map_stride(pixels: int, cells: int) -> float:
    """Input pixels per map cell along one side.

    The quotient where it is whole (or a map finer than its input). Else the side was rounded up by
    strided layers on the way: the power of two, or else the least whole number, that rounds to this map.
    """
    if pixels % cells == 0 or cells > pixels:
        return pixels / cells
    fits = [r for r in range(1, pixels + 1) if -(-pixels // r) == cells]
    powers = [r for r in fits if r & (r - 1) == 0]
    return float((powers or fits or [max(1, round(pixels / cells))])[0])


def _at_least_one(size: Size) -> Size:
    return max(1, size[0]), max(1, size[1])
