"""Peaks of confidence maps: where they are, how strong, and where between the cells they lie.

Pure: numbers in, numbers out; no video, no model, no units but the map's own cells. A confidence map is
(height, width, channels) float32, one channel a keypoint. Cells are counted (row, column) from 0;
refined points are (x, y) in cells, with (0, 0) at the centre of the top left cell. Everything is
computed in float32, as the models' own training code does. A cell that is not finite counts as minus
infinity: it is never a peak and never hides one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]
"""(height, width, channels) float32."""

WEAK_PER_CHANNEL = 50
"""How many peaks at or below the threshold a channel may add, however low the floor is."""

_NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)


@dataclass(frozen=True)
class GridPeaks:
    """Peaks on the map's grid, ordered by channel, then row, then column.

    `rows`, `cols` and `channels` are (n,) int64, `values` (n,) float32.
    """

    rows: npt.NDArray[np.int64]
    cols: npt.NDArray[np.int64]
    channels: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> GridPeaks:
        """The peaks at these positions, or those where a mask is true, in that order."""
        return GridPeaks(self.rows[index], self.cols[index], self.channels[index], self.values[index])

    def points(self) -> npt.NDArray[np.float32]:
        """The cells themselves as (n, 2) float32 (x, y): what no refinement gives."""
        return np.stack([self.cols, self.rows], axis=1).astype(np.float32)


Refinement = Callable[[Map, GridPeaks], npt.NDArray[np.float32]]
"""From a map and peaks on its grid to (n, 2) float32 (x, y) in cells, inside the map."""


def local_peaks(maps: Map, floor: float) -> GridPeaks:
    """Every cell strictly greater than all of its 8 neighbours and greater than `floor`.

    A plateau has no peak, and outside the map is minus infinity.
    """
    maps = _finite(maps)
    if maps.size == 0 or not maps.max() > floor:
        return _peaks_at(maps, np.zeros(0, np.int64))
    around = cv2.dilate(maps, _NEIGHBOURS).reshape(maps.shape)
    return _peaks_at(maps, np.flatnonzero((maps > around) & (maps > floor)))


def global_peaks(maps: Map, floor: float) -> GridPeaks:
    """The greatest cell of each channel, if it is greater than `floor`; of equal ones, the first."""
    maps = _finite(maps)
    channels = maps.shape[2]
    if maps.size == 0:
        return _peaks_at(maps, np.zeros(0, np.int64))
    cells = maps.reshape(-1, channels).argmax(axis=0)
    peaks = _peaks_at(maps, cells * channels + np.arange(channels))
    return peaks.take(peaks.values > floor)


def strongest(peaks: GridPeaks, threshold: float, weak_per_channel: int = WEAK_PER_CHANNEL) -> GridPeaks:
    """All peaks above `threshold`, and of each channel at most so many of the others, the strongest."""
    weak = np.flatnonzero(~(peaks.values > threshold))
    if len(weak) <= weak_per_channel:
        return peaks
    channels = peaks.channels[weak]
    order = np.lexsort((-peaks.values[weak], channels))
    sorted_channels = channels[order]
    rank = np.arange(len(weak)) - np.searchsorted(sorted_channels, sorted_channels)
    keep = np.ones(len(peaks), np.bool_)
    keep[weak[order[rank >= weak_per_channel]]] = False
    return peaks.take(keep)


def refine_integral(maps: Map, peaks: GridPeaks) -> npt.NDArray[np.float32]:
    """The centroid of the raw values in the 5 x 5 cells around each peak, zero outside the map.

    Where these values do not sum to something positive the centroid says nothing: the cell is kept.
    """
    patch = _patches(maps, peaks, 2)
    steps = np.arange(-2, 3, dtype=np.float32)
    with np.errstate(all="ignore"):
        total = patch.sum(axis=(1, 2))
        shift = np.stack([patch.sum(axis=1) @ steps, patch.sum(axis=2) @ steps], axis=1) / total[:, None]
    shift[~(total > 0)] = 0
    return _moved(maps, peaks, shift)


def refine_local(maps: Map, peaks: GridPeaks) -> npt.NDArray[np.float32]:
    """A quarter of a cell towards the greater neighbour in each direction, zero outside the map."""
    patch = _patches(maps, peaks, 1)
    with np.errstate(all="ignore"):
        slope = np.stack([patch[:, 1, 2] - patch[:, 1, 0], patch[:, 2, 1] - patch[:, 0, 1]], axis=1)
    return _moved(maps, peaks, np.float32(0.25) * np.sign(slope))


def refine_offsets(offsets: Map, peaks: GridPeaks) -> npt.NDArray[np.float32]:
    """The cell plus what an offset head predicts there.

    `offsets` is (height, width, 2 * channels) float32 on the confidence map's grid, in cells, its
    channels x of channel 0, y of channel 0, x of channel 1, and so on.
    """
    x = offsets[peaks.rows, peaks.cols, 2 * peaks.channels]
    y = offsets[peaks.rows, peaks.cols, 2 * peaks.channels + 1]
    return _moved(offsets, peaks, np.stack([x, y], axis=1))


def refine_none(maps: Map, peaks: GridPeaks) -> npt.NDArray[np.float32]:
    """The cells themselves."""
    return peaks.points()


def _finite(maps: Map) -> Map:
    """The map with every cell that is not finite made minus infinity; itself where there is none."""
    # NaN and +inf survive max(), so one fast pass tells whether the slow one is needed; -inf is as wished
    if maps.size == 0 or np.isfinite(maps.max()):
        return np.ascontiguousarray(maps)
    return np.where(np.isfinite(maps), maps, np.float32(-np.inf)).astype(np.float32)


def _peaks_at(maps: Map, flat: npt.NDArray[np.int64]) -> GridPeaks:
    """Peaks from positions in the flattened map. Far faster than numpy's three-dimensional nonzero."""
    _, width, channels = maps.shape
    cells, channel = np.divmod(flat, max(channels, 1))
    order = np.argsort(channel, kind="stable")
    rows, cols = np.divmod(cells[order], max(width, 1))
    return GridPeaks(rows, cols, channel[order], maps.reshape(-1)[flat[order]])


def _patches(maps: Map, peaks: GridPeaks, reach: int) -> npt.NDArray[np.float32]:
    """The cells around each peak, (n, 2 * reach + 1, 2 * reach + 1) float32, zero outside the map."""
    height, width, _ = maps.shape
    steps = np.arange(-reach, reach + 1)
    rows = peaks.rows[:, None, None] + steps[:, None]
    cols = peaks.cols[:, None, None] + steps
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    patch = maps[rows.clip(0, height - 1), cols.clip(0, width - 1), peaks.channels[:, None, None]]
    return np.where(inside, patch, np.float32(0))


def _moved(maps: Map, peaks: GridPeaks, shift: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The cells moved by (x, y), never off the map: negative values can throw a centroid anywhere."""
    height, width, _ = maps.shape
    points = peaks.points()
    moved = points + np.where(np.isfinite(shift).all(axis=1, keepdims=True), shift, np.float32(0))
    limit = np.array([width, height], np.float32) - np.float32(0.5)
    return np.clip(moved, np.float32(-0.5), limit)
