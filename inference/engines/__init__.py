"""Engines: what turns a batch of images into a model's raw outputs, one module per inference library.

Only the interface stands here, so that importing it costs nothing; each engine's library is imported by
its own module and nowhere else.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Batch = npt.NDArray[np.float32]
"""(n, height, width, channels) float32."""


class Engine(Protocol):
    """A loaded model. It may be loaded in one thread and run in another, but runs in one at a time."""

    @property
    def input_shape(self) -> tuple[int | None, int | None, int]:
        """(height, width, channels) of one image; None where any size will do."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """What `run`'s outputs are called."""

    @property
    def max_stride(self) -> int:
        """What a free height or width has to be a multiple of, in pixels."""

    def run(self, batch: Batch) -> dict[str, npt.NDArray[np.float32]]:
        """The raw outputs by name, each with the batch first; any number of images, without a new start.

        Raises FrameError if the model cannot be run on images of that size.
        """
