"""Bottom-up grouping: which peaks belong to one animal, by the part affinity fields between them.

Pure. Points are (x, y) in pixels of the model's input. The fields are (height, width, 2 * edges) float32: x
and y of edge 0, x and y of edge 1, and so on; an edge is a (source, destination) pair of nodes. The fields
and the integral along a line are those of Cao et al. 2017 (OpenPose), the rules of assembly SLEAP's, but that
a look-up beyond the map is clipped to it.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

SAMPLES = 10
"""Points on the line between two peaks, both ends among them."""
LEAST_SCORE = 0.25
"""A connection that scores less is none."""
MAX_LENGTH = 0.25
"""Share of the field's greatest extent up to which a connection's length costs nothing."""
DISTANCE_WEIGHT = 1.0

Edges = Sequence[tuple[int, int]]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Ends = Sequence[tuple[Ints, Ints]]
"""For each edge the positions of its source's peaks and of its destination's."""


@dataclass(frozen=True)
class Grouped:
    """Animals: `members` (n, nodes) int64 are positions of their peaks, -1 none; `scores` (n,) float64.

    A score is the sum of the scores of the connections between the animal's own peaks. One that would have
    given an animal a node twice was not made, and is not counted.
    """

    members: Ints
    scores: Doubles


def group(
    pafs: Floats,
    points: Floats,
    nodes: Ints,
    n_nodes: int,
    edges: Edges,
    paf_stride: float,
    max_instances: int | None = None,
) -> Grouped:
    """Group peaks into animals; a peak that nothing connects, or that is not finite, belongs to none.

    `points` (n, 2) float32 are the peaks, `nodes` (n,) int64 their keypoints; `paf_stride` is in input pixels
    per cell. `max_instances` keeps the animals with the highest scores. Animals come in the order in which
    their first connection was made: edges from the skeleton's root outwards, and along one edge in the order
    of the source's peaks. ValueError if the fields have not two channels an edge.
    """
    if pafs.shape[2] != 2 * len(edges):
        raise ValueError(f"{len(edges)} edges need {2 * len(edges)} channels, x and y; got {pafs.shape[2]}.")
    ends = _ends(points, nodes, edges)
    tables = connection_scores(pafs, points, ends, paf_stride)
    assembly = _Assembly(n_nodes)
    for edge in outward(edges):
        (source, destination), (starts, stops), scores = edges[edge], ends[edge], tables[edge]
        for row, column in zip(*matched(scores, scores >= LEAST_SCORE), strict=True):
            one, other = int(starts[row]), int(stops[column])
            assembly.connect((source, one), (destination, other), float(scores[row, column]))
    return _best(assembly.grouped(), max_instances)


def _ends(points: Floats, nodes: Ints, edges: Edges) -> Ends:
    finite = np.isfinite(points).all(axis=1)
    of_node = {node: np.flatnonzero((nodes == node) & finite) for edge in edges for node in edge}
    return [(of_node[source], of_node[destination]) for source, destination in edges]


def _best(found: Grouped, count: int | None) -> Grouped:
    if count is None or len(found.scores) <= count:
        return found
    chosen = np.sort(np.argsort(-found.scores, kind="stable")[:count])
    return Grouped(found.members[chosen], found.scores[chosen])


# How well two peaks are connected --------------------------------------------------------------------


def connection_scores(pafs: Floats, points: Floats, ends: Ends, paf_stride: float) -> list[Doubles]:
    """For each edge the scores of all that it could connect, (sources, destinations) float64, all finite.

    The mean of the field's dot products with the line's unit vector, plus min(L / d - 1, 0), where d is the
    line's length and L a quarter of the greatest of the field's height, width and channels, in pixels.
    """
    if not ends:
        return []
    sizes = [(len(starts), len(stops)) for starts, stops in ends]
    counts = [rows * columns for rows, columns in sizes]
    start = points[np.concatenate([np.repeat(starts, len(stops)) for starts, stops in ends])]
    stop = points[np.concatenate([np.tile(stops, len(starts)) for starts, stops in ends])]
    # float64, so that no length overflows
    vectors = stop.astype(np.float64) - start
    lengths = np.hypot(vectors[:, 0], vectors[:, 1])
    units = np.divide(vectors, lengths[:, None], out=np.zeros_like(vectors), where=lengths[:, None] > 0)
    along = _along(pafs, start, stop, np.repeat(np.arange(len(ends)), counts), paf_stride)
    scores = (along * units[:, None]).sum(axis=2).mean(axis=1)
    scores += _penalties(lengths, MAX_LENGTH * max(pafs.shape) * paf_stride)
    parts = np.split(scores, np.cumsum(counts)[:-1])
    return [part.reshape(size) for part, size in zip(parts, sizes, strict=True)]


def _along(pafs: Floats, start: Floats, stop: Floats, edges: Ints, paf_stride: float) -> Floats:
    """The fields of `edges` on the lines from start to stop, (lines, samples, 2): where not finite, 0."""
    height, width, channels = pafs.shape
    with np.errstate(over="ignore", invalid="ignore"):
        lines = np.linspace(start, stop, SAMPLES, axis=1, dtype=np.float32)
    rows, columns = nearest_cells(lines, paf_stride, height, width)
    first = (rows * width + columns) * channels + 2 * edges[:, None]
    values = pafs.reshape(-1)[np.stack([first, first + 1], axis=2)]
    return np.where(np.isfinite(values), values, np.float32(0))


def _penalties(lengths: Doubles, free: float) -> Doubles:
    """What length costs beyond `free` pixels: nothing at first, 1 for the infinitely far."""
    over = np.maximum(lengths, free)
    return DISTANCE_WEIGHT * (np.divide(free, over, out=np.ones_like(over), where=over > 0) - 1)


# From connections to animals -------------------------------------------------------------------------


def outward(edges: Edges) -> list[int]:
    """Positions of all edges, breadth-first from each root in turn; a cycle is entered at its first edge."""
    leaving: dict[int, list[int]] = {}
    for position, (source, _) in enumerate(edges):
        leaving.setdefault(source, []).append(position)
    reached = {destination for _, destination in edges}
    order: list[int] = []
    seen: set[int] = set()
    for start in [source for source in leaving if source not in reached] + list(leaving):
        waiting = deque([start])
        while waiting:
            node = waiting.popleft()
            if node in seen:
                continue
            seen.add(node)
            order += leaving.get(node, [])
            waiting += [edges[position][1] for position in leaving.get(node, [])]
    return order


@dataclass(eq=False)
class _Animal:
    """An animal in the making: its peak of each node, and how early its first connection was made."""

    peaks: dict[int, int]
    score: float = 0.0
    turn: float = math.inf


class _Assembly:
    """Animals in the making: each peak is in one of them at most, each animal has a node once at most."""

    def __init__(self, n_nodes: int) -> None:
        self._n_nodes = n_nodes
        self._of_peak: dict[int, _Animal] = {}
        self._turns = itertools.count()

    def connect(self, source: tuple[int, int], destination: tuple[int, int], score: float) -> None:
        """Make two peaks, each (node, peak), parts of one animal; where that cannot be, nothing is done.

        A peak that is in no animal yet is one of its own here: so one rule covers a new animal, a further
        node and the joining of two parts.
        """
        one, other = (
            self._of_peak.get(peak) or _Animal({node: peak}) for node, peak in (source, destination)
        )
        if one is not other:
            if one.peaks.keys() & other.peaks.keys():
                return
            one = self._joined(one, other)
        one.score += score

    def _joined(self, one: _Animal, other: _Animal) -> _Animal:
        """The earlier of the two, with the other's peaks and score."""
        first, second = (one, other) if one.turn <= other.turn else (other, one)
        first.turn = min(first.turn, next(self._turns))
        first.peaks.update(second.peaks)
        first.score += second.score
        self._of_peak.update(dict.fromkeys(first.peaks.values(), first))
        return first

    def grouped(self) -> Grouped:
        """The animals so far, the earliest first."""
        animals = sorted(set(self._of_peak.values()), key=lambda animal: animal.turn)
        members = np.full((len(animals), self._n_nodes), -1, np.int64)
        for row, animal in zip(members, animals, strict=True):
            row[list(animal.peaks)] = list(animal.peaks.values())
        return Grouped(members, np.array([animal.score for animal in animals], np.float64))


# What classes.py needs too -----------------------------------------------------------------------------


def nearest_cells(points: Floats, stride: float, height: int, width: int) -> tuple[Ints, Ints]:
    """Rows and columns, int64, of a map's cells nearest to points: those beyond the map at its border.

    `points` (..., 2) float32 (x, y) are in pixels, `stride` in pixels per cell. Halfway between two cells it
    is the even one. A coordinate that is not a number is at cell 0.
    """
    with np.errstate(over="ignore"):
        cells = np.rint(points / np.float32(stride))
    # clipped while still float: an integer can't hold all that a float can
    cells = np.nan_to_num(cells.clip(0, (width - 1, height - 1)))
    return cells[..., 1].astype(np.int64), cells[..., 0].astype(np.int64)


def matched(scores: npt.NDArray[np.floating], counts: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Rows and columns of the one-to-one assignment with the greatest sum, less the pairs that do not count.

    `scores` (rows, columns) are finite, `counts` has their shape. What does not count takes part in the
    assignment all the same (the Hungarian method), as in SLEAP. Pairs come in the order of their rows.
    """
    rows, columns = linear_sum_assignment(scores, maximize=True)
    kept = counts[rows, columns]
    return rows[kept], columns[kept]
