"""Tracking: which instance of this frame is which of the frames before. Pure.

Every instance is compared with candidates, the instances of the last frames, each with its track. A track is
as like an instance as its likest candidate, older ones counting less. Matching gives each track to one
instance at most; what is left begins a new track. An instance is never removed here, unless `keep` is asked
to. Points are (x, y) float64 in px of the video, NaN where a node was not found. The constants were chosen by
counting switches on scenes like those of `python -m benchmarks.tracking`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from inference import flow
from inference.messages import Instances, TrackingOptions
from inference.predictors.instances import take

Points = npt.NDArray[np.float64]
"""(n, nodes, 2) float64, NaN where a node is missing."""
Scores = npt.NDArray[np.float64]
"""(instances, candidates) float64; the greater, the more alike."""
Gray = npt.NDArray[np.uint8]
"""(height, width) uint8."""

NEARNESS = 1e-3
"""Weight of nearness (in body lengths) beside a similarity: it decides only where that is nothing for all."""
FADING = 0.8
"""What a candidate counts, for each frame that it is older than the last. Were all to count the same, an
animal would be taken for one that was here some frames ago."""
KEYPOINT_SPREAD = 0.3
"""How far a keypoint may be off for OKS, as a share of its animal's size, beside the animals' usual step."""
REACH = 1.5
"""How far an animal may be from where it was: in body lengths, or in twice the usual step if that is more."""
FORGET = 0.999
"""What remains of the longest body length, frame by frame."""
LEARN = 0.1
"""What one frame tells of the usual step: so one stranger is no reason to believe that animals jump."""
FORBIDDEN = -1e7


class Tracker:
    """Follows the animals of one stream of frames, one frame later each time."""

    def __init__(self, options: TrackingOptions) -> None:
        self._options = options
        self._frame = 0
        self._next = 0
        self._points: Points = np.zeros((0, 0, 2))
        self._tracks: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._frames: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._image: Gray | None = None
        self._length = 0.0
        self._step = 0.0

    def seed(self, past: Sequence[tuple[Instances, Sequence[int | None]]], next_track: int = 0) -> None:
        """Continue after these frames, the oldest first; new tracks are numbered above all of theirs.

        `next_track` is above those that ended before these frames, whose numbers mean other animals.
        """
        self._next = max(self._next, next_track)
        for instances, tracks in past:
            numbers = np.array([-1 if track is None else track for track in tracks], np.int64)
            seen = _seen(instances.points)
            self._learn(instances.points[seen])
            self._remember(instances.points[seen], numbers[seen])
            self._next = max(self._next, int(numbers.max(initial=-1)) + 1)

    def follow(
        self, instances: Instances, image: Gray | None = None, scale: float = 1.0
    ) -> tuple[int | None, ...]:
        """The next frame's tracks, in the order of its instances; None for one that gets none.

        That is one without any point, or one too many where `max_tracks` are all taken. `image` is the frame,
        for optical flow; `scale` its pixels per pixel of the video.
        """
        if self._options.candidates == "flow":
            self._flow_to(instances, image, scale)
        tracks = np.full(len(instances), -1, np.int64)
        seen = _seen(instances.points)
        points = instances.points[seen]
        self._learn(points)
        tracks[seen] = self._assigned(points)
        self._remember(points, tracks[seen])
        return tuple(None if track < 0 else int(track) for track in tracks)

    def _learn(self, points: Points) -> None:
        """How long animals are and how far they usually go in a frame: medians, against false ones."""
        if len(points) == 0:
            return
        self._length = max(self._length * FORGET, float(np.median(_diagonals(points))))
        last = self._points[self._frames == self._frame - 1]
        if len(last):
            step = float(np.median(_centre_distances(points, last).min(axis=1)))
            self._step += LEARN * (step - self._step)

    def _assigned(self, points: Points) -> npt.NDArray[np.int64]:
        """A track for each instance: matched with a known one, else new, else (all are taken) -1."""
        known = np.unique(self._tracks)
        assigned = np.full(len(points), -1, np.int64)
        if len(known) and len(points):
            scores = self._scores(points)
            best = np.stack([scores[:, self._tracks == track].max(axis=1) for track in known], axis=1)
            rows, columns = _MATCHINGS[self._options.matching](best)
            possible = best[rows, columns] > FORBIDDEN
            assigned[rows[possible]] = known[columns[possible]]
        # in an order that does not depend on the instances' own: from left to right
        for i in sorted(np.flatnonzero(assigned < 0), key=lambda i: tuple(_centres(points[i : i + 1])[0])):
            if self._options.max_tracks is None or self._next < self._options.max_tracks:
                assigned[i], self._next = self._next, self._next + 1
        return assigned

    def _scores(self, points: Points) -> Scores:
        apart = _centre_distances(points, self._points)
        alike = SIMILARITIES[self._options.similarity](points, self._points, self._step)
        scores = alike - NEARNESS * apart / max(1.0, self._length)
        # a lost animal's last place fades no further once the window is over
        fading = FADING ** np.minimum(self._frame - 1 - self._frames, self._options.window)
        scores = np.where(scores > 0, scores * fading, scores / fading)
        scores[~self._within_reach(apart)] = FORBIDDEN
        return np.asarray(scores)

    def _within_reach(self, apart: Scores) -> npt.NDArray[np.bool_]:
        """Which candidates each instance can be: none that would have had to jump much further than is usual.

        Nobody is too far where the number of tracks is limited, since then each has to be somebody, nor where
        animals are single points, whose size nobody knows.
        """
        if self._options.max_tracks is not None or self._length == 0:
            return np.ones(apart.shape, np.bool_)
        return np.asarray(apart <= REACH * max(self._length, 2 * self._step))

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

    def _flow_to(self, instances: Instances, image: Gray | None, scale: float) -> None:
        """Move every candidate from the last picture to this one: a step each frame.

        In one go from each candidate's own frame was no better when measured, and took twice as long.
        """
        before = self._image
        if image is not None or len(instances):
            # animals that were seen without a picture cannot be moved on from an older one
            self._image = image
        if image is not None and before is not None and before.shape == image.shape:
            self._points = flow.shifted(self._points, before, image, scale)


def keep(
    instances: Instances, tracks: Sequence[int | None], count: int
) -> tuple[Instances, tuple[int | None, ...]]:
    """The best `count` instances of a frame, tracked ones before others, then by score; in their order."""
    untracked = np.array([track is None for track in tracks], np.bool_)
    chosen = np.sort(np.lexsort((-instances.scores, untracked))[:count])
    return take(instances, chosen), tuple(tracks[i] for i in chosen)


# Similarities ----------------------------------------------------------------------------------------


def _by_instance(points: Points, candidates: Points, step: float) -> Scores:
    """Mean of exp(-d^2) over the candidate's nodes, d the distance in px: SLEAP's, and sharp.

    It is 0.02 at 2 px and exactly 0 from 28 px on: for animals that walk, nearness decides.
    """
    return _mean_over_candidate(np.exp(-_squared_distances(points, candidates)), candidates)


def _by_oks(points: Points, candidates: Points, step: float) -> Scores:
    """Object keypoint similarity, as COCO defines it: mean of exp(-d^2 / (2 s^2 k^2)), s^2 the animal's area.

    The area is that of a square on its bounding box's diagonal, since a thin animal's own box has hardly any
    when it lies along an axis; 1 px^2 at least. k is KEYPOINT_SPREAD for every node. COCO compares within one
    picture; between two the animal moves, so the square of the usual step is added to s^2 k^2.
    """
    area = np.maximum(1.0, _diagonals(candidates) ** 2 / 2)
    spread = 2 * (area * KEYPOINT_SPREAD**2 + step**2)
    return _mean_over_candidate(np.exp(-_squared_distances(points, candidates) / spread[:, None]), candidates)


def _by_centroid(points: Points, candidates: Points, step: float) -> Scores:
    """Minus the distance of the centres, in px."""
    return -_centre_distances(points, candidates)


def _by_iou(points: Points, candidates: Points, step: float) -> Scores:
    """Intersection over union of the bounding boxes."""
    one, other = _boxes(points)[:, None], _boxes(candidates)
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    shared = np.maximum(0.0, high - low).prod(axis=-1)
    area = [(box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (one, other)]
    union = area[0] + area[1] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


SIMILARITIES: dict[str, Callable[[Points, Points, float], Scores]] = {
    "instance": _by_instance,
    "oks": _by_oks,
    "centroid": _by_centroid,
    "iou": _by_iou,
}
"""Each of (points, candidates, the usual step in px): only OKS needs the last."""


def _seen(points: Points) -> npt.NDArray[np.bool_]:
    """(n,): which animals have a point at all."""
    return np.asarray(np.isfinite(points[..., 0]).any(axis=1))


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
    free = np.ones(scores.shape[0], np.bool_), np.ones(scores.shape[1], np.bool_)
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(-scores, axis=None, kind="stable"):
        row, column = divmod(int(flat), scores.shape[1])
        if free[0][row] and free[1][column]:
            free[0][row] = free[1][column] = False
            pairs.append((row, column))
            if len(pairs) == min(scores.shape):
                break
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    return rows, columns


_MATCHINGS: dict[str, Callable[[Scores], Pairs]] = {"hungarian": _hungarian, "greedy": _greedy}
