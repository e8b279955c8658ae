"""Engines: what turns images into a model's raw outputs, one module per inference library.

Only the interface stands here, so that importing it costs nothing; each engine's library is imported by
its own module and nowhere else. `choice.py` says which engine serves, `converted.py` keeps what is made
of models for them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

# OpenVINO and NNCF report to their makers that they are used; without this package they do not
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

Image = npt.NDArray[np.float32]
"""(height, width, channels) float32."""

Outputs = dict[str, npt.NDArray[np.float32]]
"""One image's, by name."""

Shape = tuple[int | None, int | None, int]
"""(height, width, channels) of one image; None where any size will do."""


class Engine(Protocol):
    """A loaded model. It may be loaded in one thread and run in another, but runs in one at a time."""

    @property
    def name(self) -> str:
        """The library and the numbers that it computes with, as a user may read it."""

    @property
    def input_shape(self) -> Shape:
        """(height, width, channels) of one image; None where any size will do."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """What `run`'s outputs are called."""

    @property
    def max_stride(self) -> int:
        """What a free height or width has to be a multiple of, in pixels."""

    def run(self, images: Sequence[Image]) -> Iterator[Outputs]:
        """The raw outputs of each image in turn, by name; the images are of one size, of which any may come.

        What is given may be the engine's own memory: it holds until the next is asked for, or another run
        begins. Raises FrameError, when the first is asked for, if the model cannot be run on that size.
        """
