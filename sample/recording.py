"""A recording: a scene, a look and a camera put together from one seed, with the truth of every frame.

The law of this file: the same seed and arguments give the same frames and the same truth; no files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.render import Bytes, Camera, Look
from sample.scene import Array, Scene, random_arena


@dataclass(frozen=True)
class Shot:
    """A frame and its truth."""

    frame: Bytes  # (H, W) gray
    points: Array  # (A, 9, 2) x, y in the frame's pixels
    seen: NDArray[np.bool_]  # (A, 9) False where another animal lies over the point


def record(scene: Scene, camera: Camera, exposure: int, frames: int, skip: int = 0) -> Iterator[Shot]:
    """`frames` shots of a scene, `skip` frames let by before each."""
    for _ in range(frames):
        scene.advance(skip)
        poses = scene.expose(exposure)
        frame, seen = camera.shoot(poses)
        # A blurred foot is where it was in the middle of the exposure, on average.
        yield Shot(frame, np.mean([pose.keypoints() for pose in poses], axis=0), seen)


def random_recording(seed: int, frames: int, skip: int = 12) -> Iterator[Shot]:
    """Shots of a scene whose animals, dish, light and camera all follow from `seed`, compressed."""
    rng = np.random.default_rng(seed)
    arena, look = random_arena(rng), Look.draw(rng)
    count = int(rng.integers(2, 7))
    lengths = rng.uniform(58, 84) * rng.uniform(0.92, 1.08, count)
    scene = Scene(int(rng.integers(1 << 31)), arena, lengths)
    camera = Camera(look, arena, lengths, int(rng.integers(1 << 31)))
    scene.advance(20)
    quality = int(rng.integers(35, 96))
    for shot in record(scene, camera, look.exposure, frames, skip):
        yield Shot(compressed(shot.frame, quality), shot.points, shot.seen)


def compressed(frame: Bytes, quality: int) -> Bytes:
    """`frame` after a JPEG's losses, which resemble those of a video's key frame."""
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
