"""Scenes in which animals cross each other, as a detector would see them, and counts of mix-ups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from inference.messages import Instances
from inference.predictors.instances import of_points

LENGTH = 40.0
"""Of an animal's body, in px."""


@dataclass(frozen=True)
class Seen:
    """One frame: what was found, whom each instance is in truth (-1: nobody), and its picture if drawn."""

    instances: Instances
    truth: tuple[int, ...]
    image: np.ndarray | None = None


@dataclass(frozen=True)
class Plot:
    """What happens in a scene. `size` is in px, `speed` in px a frame.

    The others are chances in a frame: that a node is `missing`, that an animal is `hidden` (for one to six
    frames), that it leaves for good as a new one comes in elsewhere (`turnover`).
    """

    animals: int = 5
    nodes: int = 5
    size: int = 384
    speed: float = 4.0
    missing: float = 0.05
    hidden: float = 0.01
    turnover: float = 0.0


class _Walk:
    """Animals that wander straight through each other and turn round at the walls."""

    def __init__(self, plot: Plot, rng: np.random.Generator) -> None:
        self.plot, self.rng = plot, rng
        self.at = rng.uniform(60, plot.size - 60, (plot.animals, 2))
        self.heading = rng.uniform(-np.pi, np.pi, plot.animals)
        self.names = np.arange(plot.animals)
        self.away = np.zeros(plot.animals, int)  # frames that each is hidden still

    def step(self) -> None:
        size, rng = self.plot.size, self.rng
        outside = ((self.at < 50) | (self.at > size - 50)).any(axis=1)
        inward = np.arctan2(*(size / 2 - self.at).T[::-1]) - self.heading
        inward = (inward + np.pi) % (2 * np.pi) - np.pi
        self.heading += np.where(outside, inward.clip(-0.6, 0.6), 0) + rng.normal(0, 0.15, len(self.at))
        self.at += self.plot.speed * self._ahead()
        self.away -= self.away > 0
        hides = (rng.random(len(self.at)) < self.plot.hidden) & (self.away == 0)
        self.away[hides] = rng.integers(1, 7, hides.sum())
        for i in np.flatnonzero(rng.random(len(self.at)) < self.plot.turnover):
            self.at[i], self.names[i] = rng.uniform(60, size - 60, 2), self.names.max() + 1

    def points(self) -> np.ndarray:
        """(animals, nodes, 2), in a line from head to tail."""
        along = np.linspace(LENGTH / 2, -LENGTH / 2, self.plot.nodes)
        return self.at[:, None] + along[:, None] * self._ahead()[:, None]

    def found(self) -> np.ndarray:
        """Who is found: not who is hidden, nor, half of the time, who is under another's centre (10 px)."""
        found = self.away == 0
        for i in range(1, len(self.at)):
            near = np.linalg.norm(self.at[:i] - self.at[i], axis=1) < 10
            found[i] &= not (near.any() and self.rng.random() < 0.5)
        return np.flatnonzero(found)

    def _ahead(self) -> np.ndarray:
        return np.stack([np.cos(self.heading), np.sin(self.heading)], axis=1)


def crossing_scene(
    seed: int, frames: int = 300, plot: Plot | None = None, pictures: bool = False
) -> list[Seen]:
    """A scene's frames. Points are 1 px off; one frame in fifty shows an animal that is none."""
    plot = plot or Plot()
    rng = np.random.default_rng(seed)
    walk, scene = _Walk(plot, rng), []
    painter = _Painter(seed, plot.size) if pictures else None
    for _ in range(frames):
        walk.step()
        image = painter.paint(walk) if painter else None
        scene.append(_seen(walk, rng, image))
    return scene


def _seen(walk: _Walk, rng: np.random.Generator, image: np.ndarray | None) -> Seen:
    there = walk.found()
    points = walk.points()[there]
    points += rng.normal(0, 1, points.shape)
    points[rng.random(points.shape[:2]) < walk.plot.missing] = np.nan
    truth = walk.names[there].tolist()
    if rng.random() < 0.02:
        ghost = rng.uniform(0, walk.plot.size, 2) + rng.normal(0, 15, points.shape[1:])
        points, truth = np.concatenate([points, ghost[None]]), [*truth, -1]
    order = rng.permutation(len(truth))
    values = np.where(np.isfinite(points[order, :, 0]), 0.9, np.nan)
    instances = of_points(points[order], values, np.full(len(truth), 0.9))
    return Seen(instances, tuple(truth[i] for i in order), image)


class _Painter:
    """Draws each animal with a coat of its own over a still floor, for optical flow to see."""

    def __init__(self, seed: int, size: int) -> None:
        self._seed = seed
        rng = np.random.default_rng(seed)
        self._floor = cv2.GaussianBlur(rng.integers(150, 255, (size, size), np.uint8), (0, 0), 1.5)

    def paint(self, walk: _Walk) -> np.ndarray:
        image = self._floor.copy()
        shape = (image.shape[1], image.shape[0])
        for name, (x, y), heading in zip(walk.names, walk.at, walk.heading, strict=True):
            coat = np.random.default_rng([self._seed, int(name)]).integers(0, 220, (16, 48), np.uint8)
            coat = cv2.GaussianBlur(coat, (0, 0), 1.5)
            c, s = np.cos(heading), np.sin(heading)
            turn = np.array([[c, -s, x - c * 23.5 + s * 7.5], [s, c, y - s * 23.5 - c * 7.5]])
            covered = cv2.warpAffine(np.full_like(coat, 255), turn, shape, flags=cv2.INTER_NEAREST) > 0
            image[covered] = cv2.warpAffine(coat, turn, shape)[covered]
        return image


def identity_switches(tracks: Sequence[Sequence[int | None]], truth: Sequence[Sequence[int]]) -> int:
    """How often an animal is on another track than when it was last on one (IDSW, as MOTA counts it)."""
    return _changes([[(animal, track) for track, animal in frame] for frame in _pairs(tracks, truth)])


def takeovers(tracks: Sequence[Sequence[int | None]], truth: Sequence[Sequence[int]]) -> int:
    """How often a track is on another animal than when it was last on one: a newcomer's that took it, too."""
    return _changes(_pairs(tracks, truth))


def _pairs(
    tracks: Sequence[Sequence[int | None]], truth: Sequence[Sequence[int]]
) -> list[list[tuple[int, int]]]:
    return [
        [(track, animal) for track, animal in zip(*frame, strict=True) if animal >= 0 and track is not None]
        for frame in zip(tracks, truth, strict=True)
    ]


def _changes(frames: Sequence[Sequence[tuple[int, int]]]) -> int:
    last: dict[int, int] = {}
    changes = 0
    for pairs in frames:
        for one, other in pairs:
            changes += last.get(one, other) != other
            last[one] = other
    return changes
