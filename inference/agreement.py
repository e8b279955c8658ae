"""How far two predictions of the same frames agree: by how much points moved, which peaks came and went.

Pure. Points are (x, y) in the video's pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from inference.messages import PosePrediction

SCORE = 0.4
"""Peaks above this score are looked for in the other predictions: lower ones come and go easily."""

SEEN = 0.2
"""A partner may score less, down to this: a peak that falls from 0.41 to 0.39 is still the same peak."""

REACH = 0.02
"""A peak that moved further than this share of the frame's shorter side is another peak."""

MOST_SHIFT = 0.1
"""Most px that half of the points may have moved, for the predictions to be taken for the same."""

MOST_DIFFERING = 0.02
"""Largest share of the peaks that may have no partner."""

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """`peaks` above SCORE in both predictions together; of these `lost` and `gained`; shifts in px.

    `median` and `p95` (95th percentile) are of the distances to partners; 0 where there are none.
    """

    peaks: int
    lost: int
    gained: int
    median: float
    p95: float

    @property
    def differing(self) -> float:
        """The share of all peaks, of both predictions, that have no partner in the other."""
        return (self.lost + self.gained) / max(self.peaks, 1)

    @property
    def is_close(self) -> bool:
        """Whether the second may stand for the first."""
        return self.peaks > 0 and self.median <= MOST_SHIFT and self.differing <= MOST_DIFFERING


def compare(
    first: Sequence[PosePrediction], second: Sequence[PosePrediction], size: tuple[int, int]
) -> Agreement:
    """The agreement of two predictions of the same frames, of (width, height) `size`.

    Both need to hold peaks down to SEEN. Partners are of one node, and chosen so that all distances together
    are smallest.
    """
    reach = REACH * min(size)
    peaks = lost = gained = 0
    shifts: list[float] = []
    for one, other in zip(first, second, strict=True):
        for node in np.union1d(one.nodes, other.nodes):
            strong, found = _partners(one, other, node, reach)
            peaks, lost, shifts = peaks + strong, lost + strong - len(found), shifts + found
            strong, found = _partners(other, one, node, reach)
            peaks, gained = peaks + strong, gained + strong - len(found)
    median, p95 = np.percentile(shifts, (50, 95)).tolist() if shifts else (0.0, 0.0)
    return Agreement(peaks, lost, gained, median, p95)


def _partners(one: PosePrediction, other: PosePrediction, node: int, reach: float) -> tuple[int, list[float]]:
    """How many strong peaks one has of a node, and the distances (px) to those that the other has too."""
    strong, seen = _above(one, node, SCORE), _above(other, node, SEEN)
    distances = cdist(strong, seen)
    rows, columns = linear_sum_assignment(np.minimum(distances, reach))
    paired: list[float] = distances[rows, columns].tolist()
    return len(strong), [distance for distance in paired if distance < reach]


def _above(prediction: PosePrediction, node: int, score: float) -> Points:
    above: Points = prediction.points[(prediction.nodes == node) & (prediction.values > score)]
    return above
