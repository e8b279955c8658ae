"""Tracking: which instance of this frame is which of the frames before. Pure.

Every instance is compared with candidates, the instances of the last frames, each with its track. Matching
gives each track to one instance at most; what is left begins a new track. An instance is never removed here,
unless `keep` is asked to. Points are (x, y) in px of the video, NaN where a node was not found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from inference.messages import Instances, TrackingOptions
from inference.predictors.instances import take

Points = npt.NDArray[np.float64]
"""(n, nodes, 2) float64, NaN where a node is missing."""
Scores = npt.NDArray[np.float64]
"""(instances, candidates) float64; the greater, the more alike."""
Gray = npt.NDArray[np.uint8]
"""(height, width) uint8."""

NEARNESS = 1e-3
"""Weight of nearness beside a similarity: it decides only where that is nothing for all."""
KEYPOINT_SPREAD = 0.4
"""How far a keypoint may be off, as a share of its animal's size, before OKS counts it as another's. Wider
than COCO's, since an animal moves between two frames: 0.1 mixed animals up seven times as often in
`python -m benchmarks.tracking`."""
REACH = 1.0
"""Body lengths (diagonals of the longest bounding box lately) that an animal may move between two looks."""
FORGET = 0.999
FORBIDDEN = -1e9
FLOW_WINDOW = (21, 21)
FLOW_LEVELS = 3


class Tracker:
    """Follows the animals of one stream of frames, one frame later each time."""

    def __init__(self, options: TrackingOptions) -> None:
        self._options = options
        self._similarity = SIMILARITIES[options.similarity]
        self._frame = 0
        self._next = 0
        self._points: Points = np.zeros((0, 0, 2))
        self._tracks: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._frames: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._image: Gray | None = None
        self._length = 0.0

    def seed(self, past: Sequence[tuple[Instances, Sequence[int | None]]]) -> None:
        """Continue after these frames, the oldest first; new tracks are numbered above all of theirs."""
        for instances, tracks in past:
            numbers = np.array([-1 if track is None else track for track in tracks], np.int64)
            self._remember(instances.points, numbers)
            self._next = max(self._next, int(numbers.max(initial=-1)) + 1)

    def follow(
        self, instances: Instances, image: Gray | None = None, scale: float = 1.0
    ) -> tuple[int | None, ...]:
        """The next frame's tracks, in the order of its instances; None for one that gets none.

        `image` is the frame, for optical flow; `scale` its pixels per pixel of the video.
        """
        if self._options.candidates == "flow":
            self._flow_to(image, scale)
        tracks = np.full(len(instances), -1, np.int64)
        seen = np.isfinite(instances.points[..., 0]).any(axis=1)
        tracks[seen] = self._assigned(instances.points[seen])
        self._remember(instances.points, tracks)
        return tuple(None if track < 0 else int(track) for track in tracks)

    def _assigned(self, points: Points) -> npt.NDArray[np.int64]:
        """A track for each instance: matched with a known one, else new, else (all are taken) -1."""
        known = np.unique(self._tracks)
        assigned = np.full(len(points), -1, np.int64)
        if len(known) and len(points):
            scores = self._similarity(points, self._points) + NEARNESS * _nearness(points, self._points)
            scores[~self._within_reach(points)] = FORBIDDEN
            best = np.stack([scores[:, self._tracks == track].max(axis=1) for track in known], axis=1)
            rows, columns = _MATCHINGS[self._options.matching](best)
            possible = best[rows, columns] > FORBIDDEN
            assigned[rows[possible]] = known[columns[possible]]
        # in an order that does not depend on the instances' own: from left to right
        for i in sorted(np.flatnonzero(assigned < 0), key=lambda i: tuple(_centres(points[i : i + 1])[0])):
            if self._options.max_tracks is None or self._next < self._options.max_tracks:
                assigned[i], self._next = self._next, self._next + 1
        return assigned

    def _within_reach(self, points: Points) -> npt.NDArray[np.bool_]:
        """Which candidates each instance can be: none that would have had to jump over several body lengths.

        Nobody is too far where the number of tracks is limited, since then each has to be somebody, nor where
        animals are single points, whose size nobody knows.
        """
        self._length = max(self._length * FORGET, float(_diagonals(points).max(initial=0.0)))
        apart = _centre_distances(points, self._points)
        if self._options.max_tracks is not None or self._length == 0:
            return np.ones(apart.shape, np.bool_)
        return np.asarray(apart <= REACH * self._length)

    def _remember(self, points: Points, tracks: npt.NDArray[np.int64]) -> None:
        """Add a frame's tracked instances to the candidates, and forget those that are too old."""
        held = tracks >= 0
        if len(self._points) == 0:
            self._points = np.zeros((0, *points.shape[1:]))
        self._points = np.concatenate([self._points, points[held]])
        self._tracks = np.concatenate([self._tracks, tracks[held]])
        self._frames = np.concatenate([self._frames, np.full(held.sum(), self._frame)])
        self._frame += 1
        recent = self._frames >= self._frame - self._options.window
        if self._options.max_tracks is not None:
            # the last of each is kept: no other track will ever be made for an animal that comes back
            recent |= self._frames == self._last_frames()
        self._points, self._tracks = self._points[recent], self._tracks[recent]
        self._frames = self._frames[recent]

    def _last_frames(self) -> npt.NDArray[np.int64]:
        """For each candidate, the newest frame of its track."""
        known, of_candidate = np.unique(self._tracks, return_inverse=True)
        newest = np.full(len(known), -1)
        np.maximum.at(newest, of_candidate, self._frames)
        return np.asarray(newest[of_candidate])

    def _flow_to(self, image: Gray | None, scale: float) -> None:
        """Move every candidate to where optical flow sees it now; a point that is lost stays where it was."""
        before, self._image = self._image, image if image is not None else self._image
        if image is None or before is None or before.shape != image.shape:
            return
        there = np.isfinite(self._points[..., 0])
        points = ((self._points[there] + 0.5) * scale - 0.5).astype(np.float32)
        if len(points) == 0:
            return
        # the stubs want a place to write to, which OpenCV does without
        moved, found, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]
            before, image, points[:, None], None, winSize=FLOW_WINDOW, maxLevel=FLOW_LEVELS
        )
        arrived = np.where(found == 1, moved[:, 0], points).astype(np.float64)
        self._points[there] = (arrived + 0.5) / scale - 0.5


def keep(
    instances: Instances, tracks: Sequence[int | None], count: int
) -> tuple[Instances, tuple[int | None, ...]]:
    """The best `count` instances of a frame, tracked ones before others, then by score; in their order."""
    untracked = np.array([track is None for track in tracks], np.bool_)
    chosen = np.sort(np.lexsort((-instances.scores, untracked))[:count])
    return take(instances, chosen), tuple(tracks[i] for i in chosen)


# Similarities ----------------------------------------------------------------------------------------


def _by_instance(points: Points, candidates: Points) -> Scores:
    """Mean of exp(-d^2) over the candidate's nodes, d the distance in px: SLEAP's, and sharp."""
    return _mean_over_candidate(np.exp(-_squared_distances(points, candidates)), candidates)


def _by_oks(points: Points, candidates: Points) -> Scores:
    """Object keypoint similarity, as COCO defines it: mean of exp(-d^2 / (2 s^2 k^2)), s^2 the animal's area.

    The area is that of a square on its bounding box's diagonal, since a thin animal's own box has hardly any
    when it lies along an axis; 1 px^2 at least. k is KEYPOINT_SPREAD for every node.
    """
    area = np.maximum(1.0, _diagonals(candidates) ** 2 / 2)
    spread = 2 * area * KEYPOINT_SPREAD**2
    return _mean_over_candidate(np.exp(-_squared_distances(points, candidates) / spread[:, None]), candidates)


def _by_centroid(points: Points, candidates: Points) -> Scores:
    """Minus the distance of the centres, in px."""
    return -_centre_distances(points, candidates)


def _by_iou(points: Points, candidates: Points) -> Scores:
    """Intersection over union of the bounding boxes."""
    one, other = _boxes(points)[:, None], _boxes(candidates)
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    shared = np.maximum(0.0, high - low).prod(axis=-1)
    area = [(box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (one, other)]
    union = area[0] + area[1] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


SIMILARITIES: dict[str, Callable[[Points, Points], Scores]] = {
    "instance": _by_instance,
    "oks": _by_oks,
    "centroid": _by_centroid,
    "iou": _by_iou,
}


def _nearness(points: Points, candidates: Points) -> Scores:
    return np.asarray(1 / (1 + _centre_distances(points, candidates)))


def _squared_distances(points: Points, candidates: Points) -> npt.NDArray[np.float64]:
    """(instances, candidates, nodes), infinite where one of the two lacks the node."""
    apart = ((points[:, None] - candidates) ** 2).sum(axis=-1)
    return np.where(np.isfinite(apart), apart, np.inf)


def _mean_over_candidate(alike: npt.NDArray[np.float64], candidates: Points) -> Scores:
    return np.asarray(alike.sum(axis=-1) / np.isfinite(candidates[..., 0]).sum(axis=1))


def _centre_distances(points: Points, candidates: Points) -> Scores:
    return np.asarray(np.linalg.norm(_centres(points)[:, None] - _centres(candidates), axis=-1))


def _centres(points: Points) -> npt.NDArray[np.float64]:
    """(n, 2): the mean of each animal's points."""
    there = np.isfinite(points)
    return np.asarray(np.where(there, points, 0).sum(axis=1) / np.maximum(1, there.sum(axis=1)))


def _diagonals(points: Points) -> npt.NDArray[np.float64]:
    """(n,): the length of each bounding box's diagonal."""
    boxes = _boxes(points)
    return np.asarray(np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=1))


def _boxes(points: Points) -> npt.NDArray[np.float64]:
    """(n, 4): left, top, right, bottom."""
    there = np.isfinite(points)
    low, high = np.where(there, points, np.inf).min(axis=1), np.where(there, points, -np.inf).max(axis=1)
    return np.concatenate([low, high], axis=1)


# Matchings -------------------------------------------------------------------------------------------

Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def _hungarian(scores: Scores) -> Pairs:
    """The assignment with the greatest sum."""
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return rows, columns


def _greedy(scores: Scores) -> Pairs:
    """The best pair, then the best of what is left, and so on."""
    rows: list[int] = []
    columns: list[int] = []
    for flat in np.argsort(-scores, axis=None, kind="stable"):
        row, column = divmod(int(flat), scores.shape[1])
        if row not in rows and column not in columns:
            rows.append(row)
            columns.append(column)
    return np.array(rows, np.int64), np.array(columns, np.int64)


_MATCHINGS: dict[str, Callable[[Scores], Pairs]] = {"hungarian": _hungarian, "greedy": _greedy}
