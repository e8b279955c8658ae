"""How often tracking mixes animals up, and what it costs: every way of matching, on simulated crossings.

`switches`: an animal changes its track; `takeovers`: a track changes its animal (tests/kit/crossings.py).
Scenes differ in one thing each: more animals, faster ones, missing nodes, animals that leave for good as
others come. An animal that is hidden for longer than the window is a switch that nothing can prevent.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from inference.messages import TrackingOptions
from inference.tracking import SIMILARITIES, Tracker
from tests.kit.crossings import Plot, Seen, crossing_scene, identity_switches, takeovers

PLOTS = {
    "crossings": Plot(),
    "crowd": Plot(animals=10),
    "fast": Plot(speed=20),
    "jumping": Plot(speed=45, animals=3),
    "partial": Plot(missing=0.4),
    "leaving": Plot(turnover=0.005),
    "one node": Plot(nodes=1),
}
SEED = 1000
"""Other scenes than those that the constants of tracking.py were chosen by (seeds 0 to 2)."""
DEFAULT = TrackingOptions()


def combinations() -> list[TrackingOptions]:
    """Every candidates, similarity and matching, and the default with other windows and a limit."""
    return [
        TrackingOptions(candidates, similarity, matching)
        for candidates in ("simple", "flow")
        for similarity in SIMILARITIES
        for matching in ("hungarian", "greedy")
    ] + [TrackingOptions(window=1), TrackingOptions(window=10), TrackingOptions(window=30)]


def measure(scenes: list[list[Seen]], options: TrackingOptions) -> dict[str, float]:
    """Switches and takeovers per 1,000 frames, tracks per animal (false ones' not counted), ms a frame."""
    switches = took_over = frames = made = animals = 0
    took = 0.0
    for scene in scenes:
        tracker = Tracker(options)
        began = time.perf_counter()
        tracks = [tracker.follow(seen.instances, seen.image) for seen in scene]
        took += time.perf_counter() - began
        truth = [seen.truth for seen in scene]
        switches += identity_switches(tracks, truth)
        took_over += takeovers(tracks, truth)
        frames += len(scene)
        pairs = {
            (track, one) for f, t in zip(tracks, truth, strict=True) for track, one in zip(f, t, strict=True)
        }
        made += len({track for track, one in pairs if one >= 0 and track is not None})
        animals += len({one for _, one in pairs if one >= 0})
    return {
        "switches": round(1000 * switches / frames, 1),
        "takeovers": round(1000 * took_over / frames, 1),
        "tracks_per_animal": round(made / animals, 2),
        "ms_per_frame": round(1000 * took / frames, 3),
    }


def speed(instances: int = 8, nodes: int = 24) -> dict[str, float]:
    """Median ms of one frame with many nodes at 384 x 384, by kind of candidates."""
    scene = crossing_scene(SEED, 200, Plot(animals=instances, nodes=nodes, hidden=0), pictures=True)
    result = {}
    for candidates in ("simple", "flow"):
        tracker, took = Tracker(TrackingOptions(candidates)), []
        for seen in scene:
            began = time.perf_counter()
            tracker.follow(seen.instances, seen.image)
            took.append(time.perf_counter() - began)
        result[candidates] = round(1000 * sorted(took)[len(took) // 2], 3)
    return result


def main() -> None:
    """Measure every combination on every kind of scene and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracking", description=__doc__)
    parser.add_argument("--scenes", type=int, default=3, help="of each kind (default 3)")
    parser.add_argument("--frames", type=int, default=300, help="of each scene (default 300)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for kind, plot in PLOTS.items():
        seeds = range(SEED, SEED + given.scenes)
        scenes = [crossing_scene(seed, given.frames, plot, pictures=True) for seed in seeds]
        for options in combinations():
            name = f"{options.candidates} {options.similarity} {options.matching} {options.window}"
            rows.append({"scenes": kind, "options": name} | measure(scenes, options))
            if not given.json:
                _print(rows)
    speeds = speed()
    if given.json:
        print(json.dumps({"rows": rows, "ms_of_8_instances_of_24_nodes": speeds}, indent=2))
    else:
        print(f"8 instances of 24 nodes, window {DEFAULT.window}, ms a frame (median): {speeds}")


def _print(rows: list[dict[str, Any]]) -> None:
    """The last row, below a heading if it is the first."""
    if len(rows) == 1:
        print(f"{'scenes':10}{'candidates, similarity, matching, window':42}",
              "switches", "takeovers", "tracks/animal", "ms/frame", sep=" ")  # fmt: skip
    scenes, name, *figures = rows[-1].values()
    print(f"{scenes:10}{name:42} {figures[0]:8} {figures[1]:9} {figures[2]:13} {figures[3]:8}", flush=True)


if __name__ == "__main__":
    main()
