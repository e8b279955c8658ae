"""The animals: where they are, how they walk, and the true positions of their body parts.

The law of this file: pure numpy, no drawing and no files. The same seed gives the same motion. Positions are
image pixels, x to the right and y down, (0, 0) the centre of the top left pixel; angles are radians from +x
towards +y; "left" is the animal's own left as the camera above it sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

NODES = (
    "head", "thorax", "abdomen",
    "fore_left", "fore_right", "mid_left", "mid_right", "hind_left", "hind_right",
)  # fmt: skip
EDGES = ((0, 1), (1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (1, 7), (1, 8))
MIRROR = (0, 1, 2, 4, 3, 6, 5, 8, 7)
"""The node that each node becomes in a mirrored image."""

SIZE = 384
FPS = 30
SUBSTEPS = 4
"""Steps of the motion per video frame: the exposure is a part of a frame, so that quick legs blur."""

DT = 1.0 / (FPS * SUBSTEPS)
SWING = 0.4
"""The share of a step's cycle that a leg spends in the air."""

NECK, HEAD = 0.15, 0.10
WAIST, TIP = -0.08, -0.35
"""In body lengths: from the thorax forward to the neck and from there to the middle of the head; from the
thorax back to the waist and from there to the tip of the abdomen."""

# In body lengths, forward and outward from the thorax; left and right alternate, as in NODES.
_FEET = np.array(
    [[0.42, -0.24], [0.42, 0.24], [0.03, -0.43], [0.03, 0.43], [-0.40, -0.33], [-0.40, 0.33]]
)  # fmt: skip
# Two tripods take turns: fore and hind of one side together with the middle leg of the other.
_TRIPOD = np.array([0.0, 0.5, 0.5, 0.0, 0.0, 0.5])


@dataclass(frozen=True)
class Arena:
    """The dish: a circle (`corner` equals `radius`) or a square with rounded corners."""

    x: float
    y: float
    radius: float
    corner: float

    def depth(self, points: Array) -> Array:
        """How far inside the wall each point (..., 2) is, in pixels; negative is outside."""
        outward = np.abs(points - np.array([self.x, self.y])) - (self.radius - self.corner)
        rounded = np.hypot(np.maximum(outward[..., 0], 0), np.maximum(outward[..., 1], 0))
        return np.asarray(self.corner - rounded - np.minimum(outward.max(axis=-1), 0))

    def inward(self, points: Array) -> Array:
        """The unit direction (..., 2) away from the nearest wall."""
        step = 0.5
        ex, ey = np.array([step, 0.0]), np.array([0.0, step])
        slope = np.stack(
            [
                self.depth(points + ex) - self.depth(points - ex),
                self.depth(points + ey) - self.depth(points - ey),
            ],
            axis=-1,
        )
        return np.asarray(slope / np.maximum(np.linalg.norm(slope, axis=-1, keepdims=True), 1e-6))


@dataclass(frozen=True)
class Pose:
    """All the animals at one moment; the first axis of every array is the animal."""

    thorax: Array  # (A, 2)
    heading: Array  # (A,)
    head_yaw: Array  # (A,) relative to the heading
    bend: Array  # (A,) of the abdomen, relative to straight back
    wings: Array  # (A,) spread of each wing from straight back
    feet: Array  # (A, 6, 2)
    lengths: Array  # (A,) of the body, in pixels

    def keypoints(self) -> Array:
        """The true positions (A, 9, 2) of NODES."""
        ahead, size = _unit(self.heading), self.lengths[:, None]
        head = self.thorax + size * (NECK * ahead + HEAD * _unit(self.heading + self.head_yaw))
        tip = self.thorax + size * (WAIST * ahead + TIP * _unit(self.heading + self.bend))
        return np.concatenate([np.stack([head, self.thorax, tip], axis=1), self.feet], axis=1)


def _unit(angle: Array) -> Array:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _turned(points: Array, angle: Array) -> Array:
    """`points` (A, N, 2) turned by `angle` (A,)."""
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([c * x - s * y, s * x + c * y], axis=-1)


def _cross(a: Array, b: Array) -> Array:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def random_arena(rng: np.random.Generator, size: int = SIZE) -> Arena:
    """A dish that nearly fills an image of size × size pixels."""
    radius = size * rng.uniform(0.43, 0.50)
    x, y = (size - 1) / 2 + rng.uniform(-0.02, 0.02, 2) * size
    corner = radius if rng.random() < 0.65 else radius * rng.uniform(0.08, 0.4)
    return Arena(float(x), float(y), radius, corner)


class Scene:
    """Several animals that walk, stop, turn, follow and avoid each other in a dish."""

    def __init__(self, seed: int, arena: Arena, lengths: Array) -> None:
        self._rng = np.random.default_rng(seed)
        self.arena = arena
        self.lengths = np.asarray(lengths, dtype=np.float64)
        n = len(self.lengths)
        rng = self._rng
        self._thorax = self._places(n)
        self._heading = rng.uniform(-np.pi, np.pi, n)
        self._speed, self._turn = np.zeros(n), np.zeros(n)
        self._speed_goal, self._turn_goal, self._left = np.zeros(n), np.zeros(n), np.zeros(n)
        self._follows = np.zeros(n, dtype=bool)
        self._head_yaw, self._bend = np.zeros(n), np.zeros(n)
        self._wings_rest = rng.uniform(0.06, 0.2, n)
        self._wings, self._flick = self._wings_rest.copy(), np.zeros(n)
        self._phase = rng.random(n)
        self._offset = _TRIPOD + rng.normal(0, 0.03, (n, 6))
        self._home = _FEET * rng.normal(1, 0.05, (n, 6, 2)) * self.lengths[:, None, None]
        spread = self._home + rng.normal(0, 0.06, (n, 6, 2)) * self.lengths[:, None, None]
        self._feet = self._thorax[:, None] + _turned(spread, self._heading)
        self._lifted_at, self._in_air = self._feet.copy(), np.zeros((n, 6), dtype=bool)

    def advance(self, frames: int) -> None:
        """Let `frames` video frames go by unseen."""
        for _ in range(frames * SUBSTEPS):
            self._step()

    def expose(self, parts: int = 2) -> list[Pose]:
        """The next video frame: the poses while the shutter is open (`parts` of SUBSTEPS)."""
        poses = []
        for k in range(SUBSTEPS):
            self._step()
            if k < parts:
                poses.append(self.pose())
        return poses

    def pose(self) -> Pose:
        """The animals now."""
        sway = np.sin(2 * np.pi * self._phase) * np.minimum(np.abs(self._speed) / self.lengths, 1)
        side = _unit(self._heading + np.pi / 2)
        return Pose(
            thorax=self._thorax + side * (0.012 * sway * self.lengths)[:, None],
            heading=self._heading + 0.035 * sway,
            head_yaw=self._head_yaw.copy(),
            bend=self._bend - 0.03 * sway,
            wings=self._wings.copy(),
            feet=self._feet.copy(),
            lengths=self.lengths,
        )

    def _places(self, n: int) -> Array:
        """Starting places (n, 2), as far apart as a few tries find."""
        arena, best, best_gap = self.arena, np.zeros((n, 2)), -1.0
        for _ in range(30):
            reach = arena.radius - 0.55 * float(self.lengths.max())
            points = np.array([arena.x, arena.y]) + self._rng.uniform(-reach, reach, (n, 2))
            points += arena.inward(points) * np.maximum(0.5 * self.lengths - arena.depth(points), 0)[:, None]
            gaps = np.linalg.norm(points[:, None] - points, axis=-1) + np.eye(n) * 1e6
            if gaps.min() > best_gap:
                best, best_gap = points, float(gaps.min())
        return best

    def _step(self) -> None:
        self._decide()
        self._move()
        self._keep_apart()
        self._walk()

    def _decide(self) -> None:
        """Choose what to do next, where the last choice has run its time."""
        self._left -= DT
        for i in np.flatnonzero(self._left <= 0):
            rng, length = self._rng, self.lengths[i]
            choice = rng.random()
            self._follows[i] = choice > 0.86
            if choice < 0.24:  # stand
                speed, turn, lasts = 0.0, 0.0, rng.uniform(0.3, 1.6)
            elif choice < 0.40:  # turn on the spot
                speed, turn, lasts = 0.15, rng.choice([-1, 1]) * rng.uniform(1.2, 3.0), rng.uniform(0.3, 0.8)
            else:  # walk
                speed, turn, lasts = rng.uniform(0.6, 2.0), rng.normal(0, 0.6), rng.uniform(0.5, 2.2)
            self._speed_goal[i], self._turn_goal[i], self._left[i] = speed * length, turn, lasts
            if rng.random() < 0.06:
                self._flick[i] = rng.uniform(0.15, 0.5)

    def _steering(self) -> tuple[Array, Array]:
        """Turning (A,) that avoids walls and neighbours, and how much (A,) of the wished speed remains."""
        ahead = _unit(self._heading)
        length = self.lengths
        nose = self._thorax + ahead * (0.75 * length)[:, None]
        inward = self.arena.inward(nose)
        near = np.clip(1 - self.arena.depth(nose) / (0.5 * length), 0, 1.5)
        facing = np.clip(0.2 - np.sum(ahead * inward, axis=-1), 0, 1.2)
        turn = 6.0 * near * facing * _sign(_cross(ahead, inward))
        slow = 1 - 0.6 * np.clip(near * facing, 0, 1)
        if len(length) > 1:
            to = self._thorax[None] - self._thorax[:, None]
            gap = np.linalg.norm(to, axis=-1) + np.eye(len(length)) * 1e6
            side = _sign(_cross(ahead[:, None], to))
            in_front = np.clip(np.sum(ahead[:, None] * to, axis=-1) / gap + 0.2, 0, 1)
            close = np.clip(1 - gap / (1.15 * length[:, None]), 0, 1) * in_front
            turn = turn - np.sum(9.0 * close * side, axis=1)
            slow = slow * (1 - 0.7 * np.clip(close.max(axis=1) * 2, 0, 1))
            nearest = gap.argmin(axis=1)
            wish = 2.0 * side[np.arange(len(length)), nearest]
            turn = turn + np.where(self._follows & (gap.min(axis=1) < 3 * length), wish, 0)
        return turn, slow

    def _move(self) -> None:
        turn, slow = self._steering()
        n = len(self.lengths)
        noise = self._rng.normal(0, 1, (2, n)) * np.sqrt(DT)
        self._speed += (self._speed_goal * slow - self._speed) * DT / 0.12
        self._speed += 0.15 * self._speed * noise[0]
        self._turn += (self._turn_goal + turn - self._turn) * DT / 0.1
        self._turn += 1.5 * noise[1] * np.minimum(self._speed / (0.5 * self.lengths), 1)
        self._heading = self._heading + self._turn * DT
        self._thorax = self._thorax + _unit(self._heading) * (self._speed * DT)[:, None]
        self._head_yaw += (np.clip(0.16 * self._turn, -0.4, 0.4) - self._head_yaw) * DT / 0.08
        self._bend += (np.clip(-0.13 * self._turn, -0.32, 0.32) - self._bend) * DT / 0.15
        self._flick -= DT
        spread = np.where(self._flick > 0, 0.75, self._wings_rest)
        self._wings += (spread - self._wings) * DT / 0.06

    def _keep_apart(self) -> None:
        """Bodies neither overlap nor leave the dish; legs may cross."""
        length = self.lengths
        along = np.array([0.2, -0.05, -0.3])
        width = np.array([0.15, 0.19, 0.19])
        n, k = len(length), len(along)
        spots = self._thorax[:, None] + _unit(self._heading)[:, None] * (along * length[:, None])[..., None]
        flat, radii = spots.reshape(-1, 2), (width * length[:, None]).ravel()
        apart = flat[:, None] - flat
        gap = np.linalg.norm(apart, axis=-1) + 1e-6
        overlap = np.clip(radii[:, None] + radii - gap, 0, None)
        owner = np.repeat(np.arange(n), k)
        overlap[owner[:, None] == owner] = 0
        push = (apart / gap[..., None] * overlap[..., None]).sum(axis=1).reshape(n, k, 2).sum(axis=1)
        # A fifth at a time: bodies give way over a few steps and don't jump.
        self._thorax = self._thorax + 0.2 * push
        ends = np.stack([0.4 * length, np.zeros(n), -0.5 * length], axis=1)
        spots = self._thorax[:, None] + _unit(self._heading)[:, None] * ends[..., None]
        outside = np.clip(0.06 * length[:, None] - self.arena.depth(spots), 0, None)
        worst = outside.argmax(axis=1)
        rows = np.arange(n)
        inward = self.arena.inward(spots[rows, worst])
        self._thorax = self._thorax + 0.3 * inward * outside[rows, worst][:, None]

    def _walk(self) -> None:
        """Feet stay where they stand; in the air they go to where the body will be."""
        length = self.lengths
        home = self._thorax[:, None] + _turned(self._home, self._heading)
        strain = np.linalg.norm(self._feet - home, axis=-1).max(axis=1) / length
        rate = (np.abs(self._speed) + 0.35 * length * np.abs(self._turn)) / (0.5 * length)
        rate = np.where(rate < 0.25, 0.0, np.maximum(rate, 1.2))
        rate = np.maximum(rate, np.where(self._in_air.any(axis=1), 2.0, 0.0))
        rate = np.minimum(np.maximum(rate, np.where(strain > 0.22, 3.0, 0.0)), 6.0)
        self._phase = self._phase + rate * DT
        phase = (self._phase[:, None] + self._offset) % 1.0
        in_air = phase < SWING
        self._lifted_at = np.where((in_air & ~self._in_air)[..., None], self._feet, self._lifted_at)
        self._in_air = in_air
        half_stance = np.where(rate > 0, 0.5 * (1 - SWING) / np.maximum(rate, 0.1), 0)
        reach = np.minimum(self._speed * half_stance, 0.17 * length)
        turned = self._heading + np.clip(self._turn * half_stance, -0.35, 0.35)
        goal = self._thorax + _unit(self._heading) * reach[:, None]
        target = goal[:, None] + _turned(self._home, turned)
        outside = np.clip(2.0 - self.arena.depth(target), 0, None)
        target = target + self.arena.inward(target) * outside[..., None]
        s = np.clip(phase / SWING, 0, 1)
        s = (s * s * (3 - 2 * s))[..., None]
        self._feet = np.where(in_air[..., None], self._lifted_at + s * (target - self._lifted_at), self._feet)


def _sign(values: Array) -> Array:
    """1 or -1, never 0: something straight ahead is passed on one side, too."""
    return np.where(values < 0, -1.0, 1.0)
