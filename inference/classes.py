"""Which individual a peak or a crop is of, by the classes that a multi-class model gives it.

Pure. Nobody is in two places at once: of the peaks of one node (or the crops of one frame) each class gets
one at most, by the assignment with the greatest sum of probabilities, and it has to be that peak's own
likeliest. The rules are SLEAP's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.grouping import matched, nearest_cells

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


_DIGITS = 6
"""Probabilities that are the same to so many digits are the same."""


def class_of_peaks(
    maps: Floats, points: Floats, nodes: Ints, n_nodes: int, stride: float
) -> tuple[Ints, Floats]:
    """For each class and node its peak's position, (classes, nodes) int64, -1 none; and all probabilities.

    `maps` (height, width, classes) float32; `points` (n, 2) float32 (x, y) peaks in pixels of the model's
    input, `nodes` (n,) int64 their keypoints; `stride` input pixels per cell. The probabilities, (n, classes)
    float32, are those of the cell nearest to each peak: off the map, of one at its border.
    """
    height, width, n_classes = maps.shape
    probabilities = maps[nearest_cells(points, stride, height, width)]
    members = np.full((n_classes, n_nodes), -1, np.int64)
    for node in np.unique(nodes):
        peaks = np.flatnonzero(nodes == node)
        rows, classes = _individuals(probabilities[peaks])
        members[classes, node] = peaks[rows]
    return members, probabilities


def class_of_crops(vectors: Floats) -> tuple[Ints, Floats]:
    """The class of each crop, (n,) int64, -1 for none, and its probability, (n,) float32, NaN for none.

    `vectors` (n, classes) float32 are the crops' probabilities. SLEAP forgets a crop without a class; here
    it has its place, and who asks decides whether an animal that is nobody is shown.
    """
    classes = np.full(len(vectors), -1, np.int64)
    probabilities = np.full(len(vectors), np.nan, np.float32)
    rows, columns = _individuals(vectors)
    classes[rows], probabilities[rows] = columns, vectors[rows, columns]
    return classes, probabilities


def _individuals(vectors: Floats) -> tuple[Ints, Ints]:
    """Rows of `vectors`, and the class of each, of those that have one: a NaN is never anybody."""
    said = np.isfinite(vectors)
    # engines differ in the last digit, and where several are sure the first is to win, not that digit
    table = np.where(said, vectors, np.float64(0)).round(_DIGITS)
    likeliest = np.zeros_like(said)
    if table.size:
        likeliest[np.arange(len(table)), table.argmax(axis=1)] = True
    return matched(table, likeliest & said)
