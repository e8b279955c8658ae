"""What is done to a frame before a model sees it, and how to get back: SLEAP's way and a plain model's.

Pure: it knows a model's sizes, not the model. Each way is a class with `prepare(frame)` and
`geometry(prepared, map_size)`, made once per model and used for frames of any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from inference import images
from inference.images import Geometry, Image, Size
from inference.messages import Frame


@dataclass(frozen=True)
class Prepared:
    """One model input, (height, width, channels) float32, and what was done to the frame for it.

    `ratio` and `scale` (x, y) are as in `Geometry`.
    """

    image: Image
    ratio: float = 1.0
    scale: tuple[float, float] = (1.0, 1.0)


class Preparation(Protocol):
    """From frames to a model's inputs, and from its maps back to the frames."""

    def prepare(self, frame: Frame) -> Prepared:
        """The model's input for a frame."""

    def geometry(self, prepared: Prepared, map_size: Size) -> Geometry:
        """Where the cells of a map of (height, width) lie in that frame."""


@dataclass(frozen=True)
class SleapPreparation:
    """SLEAP's: size match, gray or colour, scaling by a fixed factor, padding to a stride."""

    channels: int
    pad_stride: int
    map_stride: int
    input_scaling: float = 1.0
    target: Size | None = None

    def prepare(self, frame: Frame) -> Prepared:
        """The model's input for a frame."""
        frame, ratio = images.matched(frame, self.target or frame.shape[:2])
        image = images.scaled(images.to_unit(images.to_channels(frame, self.channels)), self.input_scaling)
        size = images.rounded_up(image.shape[:2], self.pad_stride)
        return Prepared(images.padded(image, size), ratio, (self.input_scaling, self.input_scaling))

    def geometry(self, prepared: Prepared, map_size: Size) -> Geometry:
        """Where the cells of a map lie in that frame; its stride is known from the training."""
        return Geometry.of_sleap(self.map_stride, self.input_scaling, prepared.ratio)


@dataclass(frozen=True)
class PlainPreparation:
    """A plain model's: gray or colour, a fixed input size fitted keeping the aspect, padding.

    `input_size` is the model's (height, width), None where any will do; a free side is padded to a
    multiple of `pad_stride`.
    """

    channels: int
    input_size: tuple[int | None, int | None]
    pad_stride: int

    def prepare(self, frame: Frame) -> Prepared:
        """The model's input for a frame."""
        height, width = frame.shape[:2]
        inner, outer = images.fitted_sizes((height, width), self.input_size, self.pad_stride)
        image = images.resized(images.to_unit(images.to_channels(frame, self.channels)), inner)
        # not the factor asked for: whole pixels make it differ a little, and on each axis by its own
        return Prepared(images.padded(image, outer), scale=(inner[1] / width, inner[0] / height))

    def geometry(self, prepared: Prepared, map_size: Size) -> Geometry:
        """Where the cells of a map lie in that frame; its stride is read off the sizes."""
        height, width = prepared.image.shape[:2]
        stride = (images.map_stride(width, map_size[1]), images.map_stride(height, map_size[0]))
        return Geometry.of_plain(stride, prepared.scale)
