"""Writes the shipped video: a scene that no model was trained on, whose truth follows from the seed below.

The law of this file: what stands here decides the video alone, so that a test can ask `shots()` for the truth
of every frame of the shipped file.

    python -m sample.make_video       # writes data/flies.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from sample.evaluate import HELD_OUT
from sample.recording import Shot, record
from sample.render import Camera, Look
from sample.scene import FPS, SIZE, Arena, Scene

ROOT = Path(__file__).resolve().parent.parent
VIDEO = ROOT / "data" / "flies.mp4"
SEED = HELD_OUT * 2 + 6
FRAMES = 360

ARENA = Arena(x=191.0, y=192.5, radius=180.0, corner=180.0)
LENGTHS = np.array([71.0, 66.0, 73.5, 68.0])
LOOK = Look(
    floor=0.78,
    grain=0.028,
    dirt=55,
    outside=0.15,
    rim=0.16,
    body=0.33,
    legs=0.34,
    stripes=0.34,
    wing=0.17,
    stout=1.0,
    leg_width=1.0,
    light_angle=-2.2,
    slope=0.16,
    vignette=0.2,
    shadow=0.3,
    shadow_reach=0.06,
    blur=0.6,
    noise=3.2,
    flicker=0.004,
    exposure=2,
)


def shots(frames: int = FRAMES) -> Iterator[Shot]:
    """The video's frames before compression, and their truth."""
    scene = Scene(SEED, ARENA, LENGTHS)
    camera = Camera(LOOK, ARENA, LENGTHS, SEED, SIZE)
    scene.advance(30)
    return record(scene, camera, LOOK.exposure, frames)


def write(path: Path, frames: int = FRAMES) -> None:
    """Encode the video: MPEG-4 part 2, the one codec of this container that every OpenCV writes and reads.

    As gray, not as color: of gray frames handed over as color, the encoder makes slightly green ones.
    """
    fourcc = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), fourcc, FPS, (SIZE, SIZE), isColor=False)
    if not writer.isOpened():
        raise OSError(f"This OpenCV cannot write {path}.")
    for shot in shots(frames):
        writer.write(shot.frame)
    writer.release()


def main(argv: list[str] | None = None) -> int:
    """Write the sample's video."""
    parser = argparse.ArgumentParser(prog="python -m sample.make_video", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=VIDEO)
    args = parser.parse_args(argv)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write(args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
