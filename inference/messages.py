"""What is said between the processes: small frozen dataclasses, grouped by direction.

Only words live here: no encoding (`wire.py`), no sockets (`channels.py`), no behaviour.
"Frame" always means a video frame; "run" is one request for a stream. Points are (x, y) in the
video's own pixels, with (0, 0) at the centre of the top left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]
"""A video frame: (height, width, channels) uint8; 1 channel is gray, 3 are red, green, blue."""


@dataclass(frozen=True)
class ModelInfo:
    """What a viewer has to know of a model before its first prediction."""

    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class PoseOptions:
    """What one run asks of a pose model. Scores are in the confidence map's own unit."""

    threshold: float = 0.2
    floor: float = 0.2


@dataclass(frozen=True)
class PosePrediction:
    """The peaks of one frame: `points` (n, 2) float64, `values` (n,) float64, `nodes` (n,) int64."""

    points: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    nodes: npt.NDArray[np.int64]
