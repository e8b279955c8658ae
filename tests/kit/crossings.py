"""Scenes in which animals cross each other, as a detector would see them, and a count of switches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.messages import Instances
from inference.predictors.instances import of_points


@dataclass(frozen=True)
class Seen:
    """One frame: what was found, and whom each instance is in truth (-1: nobody)."""

    instances: Instances
    truth: tuple[int, ...]


def crossing_scene(
    seed: int, frames: int = 300, animals: int = 5, nodes: int = 5, size: float = 384, speed: float = 4.0
) -> list[Seen]:
    """Animals that wander through each other, each of `nodes` points in a line of 40 px; walls turn them.

    Points are 1 px off, one in twenty is missing; of two animals whose centres are within 10 px one is not
    found half of the time, as anyone once in fifty frames; one frame in fifty shows an animal that is none.
    """
    rng = np.random.default_rng(seed)
    at, heading = rng.uniform(60, size - 60, (animals, 2)), rng.uniform(-np.pi, np.pi, animals)
    body = np.linspace(20, -20, nodes)
    scene = []
    for _ in range(frames):
        heading += rng.normal(0, 0.15, animals)
        at += speed * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        outside = (at < 30) | (at > size - 30)
        heading = np.where(outside.any(axis=1), np.arctan2(*(size / 2 - at).T[::-1]), heading)
        along = np.stack([np.cos(heading), np.sin(heading)], axis=1)
        points = at[:, None] + body[:, None] * along[:, None]
        scene.append(_found(points, at, rng, size))
    return scene


def _found(points: np.ndarray, at: np.ndarray, rng: np.random.Generator, size: float) -> Seen:
    gone = rng.random(len(at)) < 0.02
    for i in range(len(at)):
        near = np.linalg.norm(at[:i] - at[i], axis=1) < 10
        gone[i] |= bool(near.any()) and rng.random() < 0.5
    truth = [i for i in range(len(at)) if not gone[i]]
    found = points[truth] + rng.normal(0, 1, points[truth].shape)
    found[rng.random(found.shape[:2]) < 0.05] = np.nan
    if rng.random() < 0.02:
        ghost = rng.uniform(0, size, 2) + rng.normal(0, 15, points.shape[1:])
        found, truth = np.concatenate([found, ghost[None]]), [*truth, -1]
    order = rng.permutation(len(truth))
    values = np.where(np.isfinite(found[..., 0]), 0.9, np.nan)
    seen = of_points(found[order], values[order], np.full(len(truth), 0.9))
    return Seen(seen, tuple(truth[i] for i in order))


def identity_switches(tracks: Sequence[Sequence[int | None]], truth: Sequence[Sequence[int]]) -> int:
    """How often an animal is on another track than when it was last on one (IDSW, as MOTA counts it)."""
    last: dict[int, int] = {}
    switches = 0
    for of_frame, whom in zip(tracks, truth, strict=True):
        for track, animal in zip(of_frame, whom, strict=True):
            if animal >= 0 and track is not None:
                switches += last.get(animal, track) != track
                last[animal] = track
    return switches
