"""How often tracking mixes animals up, and what it costs: every way of matching, on simulated crossings.

Two kinds of scenes. `crossings`: animals that walk through each other (tests/kit/crossings.py). `flies`: the
sample's own simulation, with pictures, so that optical flow has something to see; of every second frame.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from inference.messages import TrackingOptions
from inference.predictors.instances import of_points
from inference.tracking import SIMILARITIES, Tracker
from sample.recording import random_recording
from tests.kit.crossings import Seen, crossing_scene, identity_switches

Scene = list[tuple[Seen, np.ndarray | None]]


def crossings(count: int) -> list[Scene]:
    """Scenes without pictures, 1,000 frames of each."""
    return [[(seen, None) for seen in crossing_scene(seed, frames=1000)] for seed in range(count)]


def flies(count: int, frames: int = 150) -> list[Scene]:
    """Scenes of the sample, points as a good detector finds them."""
    return [list(_flies(500_000 + seed, frames)) for seed in range(count)]


def _flies(seed: int, frames: int) -> Iterator[tuple[Seen, np.ndarray]]:
    rng = np.random.default_rng(seed)
    for shot in random_recording(seed, frames, skip=1):
        points = shot.points + rng.normal(0, 0.7, shot.points.shape)
        points[~shot.seen | (rng.random(shot.seen.shape) < 0.03)] = np.nan
        there = np.flatnonzero(
            (np.isfinite(points[..., 0]).sum(axis=1) > 2) & (rng.random(len(points)) > 0.02)
        )
        order = rng.permutation(there)
        values = np.where(np.isfinite(points[order, :, 0]), 0.9, np.nan)
        yield Seen(of_points(points[order], values, np.ones(len(order))), tuple(order.tolist())), shot.frame


def measure(scenes: list[Scene], options: TrackingOptions) -> dict[str, Any]:
    """Switches per 1,000 frames, tracks per animal, and ms a frame."""
    switches = frames = tracks_made = animals = 0
    began = time.perf_counter()
    for scene in scenes:
        tracker = Tracker(options)
        tracks = [tracker.follow(seen.instances, image) for seen, image in scene]
        truth = [seen.truth for seen, _ in scene]
        switches += identity_switches(tracks, truth)
        frames += len(scene)
        tracks_made += len({track for frame in tracks for track in frame if track is not None})
        animals += len({animal for frame in truth for animal in frame if animal >= 0})
    took = time.perf_counter() - began
    return {
        "switches_per_1000_frames": round(1000 * switches / frames, 2),
        "tracks_per_animal": round(tracks_made / animals, 2),
        "ms_per_frame": round(1000 * took / frames, 3),
    }


def main() -> None:
    """Measure every combination and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    kinds = {"crossings": crossings(given.scenes), "flies": flies(given.scenes)}
    rows = []
    for kind, scenes in kinds.items():
        for candidates in ("simple", "flow") if kind == "flies" else ("simple",):
            for similarity in SIMILARITIES:
                for matching in ("hungarian", "greedy"):
                    options = TrackingOptions(candidates, similarity, matching)
                    rows.append(
                        {
                            "scenes": kind,
                            "candidates": candidates,
                            "similarity": similarity,
                            "matching": matching,
                        }
                        | measure(scenes, options)
                    )
    if given.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'scenes':>10} {'candidates':>10} {'similarity':>10} {'matching':>10} {'switches/1000':>14} "
          f"{'tracks/animal':>14} {'ms/frame':>9}")  # fmt: skip
    for row in rows:
        print(
            f"{row['scenes']:>10} {row['candidates']:>10} {row['similarity']:>10} {row['matching']:>10} "
            f"{row['switches_per_1000_frames']:>14} {row['tracks_per_animal']:>14} {row['ms_per_frame']:>9}"
        )


if __name__ == "__main__":
    main()
