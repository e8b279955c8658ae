"""Every kind of SLEAP model end to end, in interleaved rounds: frames/s, and where a frame's time goes.

Frames/s are those of a client that reads the whole stream. A stage's share is of the time that one frame
costs, the sum of its stages without the waiting in queues; post-processing is peaks, grouping and tracking.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import httpx
from httpx_sse import connect_sse

from benchmarks.processes import AppProcess

POST_PROCESSING = ("peaks", "grouping", "tracking")
CENTROID = "minimal_instance.UNet.centroid"
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "single instance": ("small_robot.mp4", {"model_name": "minimal_robot.UNet.single_instance"}),
    "bottom-up": ("centered_pair_small.mp4", {"model_name": "minimal_instance.UNet.bottomup"}),
    "top-down, max 2 animals": (
        "centered_pair_small.mp4",
        {"model_name": [CENTROID, "minimal_instance.UNet.centered_instance"], "max_instances": 2},
    ),
    "multi-class bottom-up": ("clip.mp4", {"model_name": "min_tracks_2node.UNet.bottomup_multiclass"}),
}


def measure(shared: Path, rounds: int, frames: int, servers: int = 2) -> dict[str, Any]:
    """Medians over the rounds by kind."""
    app = AppProcess(shared / "videos", shared / "models", servers)
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    stages: dict[str, dict[str, list[float]]] = {kind: {} for kind in KINDS}
    try:
        for number in range(-1, rounds):  # the first one warms up, and does not count
            for kind, (video, query) in KINDS.items():
                began = time.perf_counter()
                times = _timings(
                    app.address, {"video_name": video, **query, "stop": frames if number >= 0 else 32}
                )
                if number < 0:
                    continue
                rates[kind].append(len(times) / (time.perf_counter() - began))
                for timing in times:
                    for stage, ms in timing.items():
                        stages[kind].setdefault(stage, []).append(ms)
    finally:
        app.close()
    return {kind: _row(rates[kind], stages[kind]) for kind in KINDS}


def _timings(address: str, query: dict[str, Any]) -> list[dict[str, float]]:
    with (
        httpx.Client(base_url=address, timeout=120) as client,
        connect_sse(client, "GET", "/generate_predictions", params=query) as source,
    ):
        return [json.loads(event.data)["timing"] for event in source.iter_sse() if event.event == "message"]


def _row(rates: list[float], stages: dict[str, list[float]]) -> dict[str, Any]:
    ms = {stage: statistics.mean(values) for stage, values in stages.items() if stage != "queue"}
    total = sum(ms.values())
    return {
        "frames_per_second": round(statistics.median(rates), 1),
        "values": [round(rate, 1) for rate in rates],
        "ms_per_frame": {stage: round(value, 3) for stage, value in ms.items()},
        "share": {stage: round(value / total, 4) for stage, value in ms.items()},
        "post_processing_share": round(sum(ms.get(stage, 0.0) for stage in POST_PROCESSING) / total, 4),
    }


def show(figures: dict[str, Any]) -> None:
    """Print them as a table."""
    head = "kind, end to end, 2 workers"
    print(f"{head:28s} {'frames/s':>9s} {'post-processing':>16s}  share of a frame's time")
    for kind, row in figures.items():
        shares = ", ".join(f"{stage} {100 * share:.1f} %" for stage, share in row["share"].items())
        post = 100 * row["post_processing_share"]
        print(f"{kind:28s} {row['frames_per_second']:9.1f} {post:14.1f} %  {shares}")


def main() -> None:
    """Measure the shared models on their videos."""
    from benchmarks.__main__ import SHARED

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=150)
    given = parser.parse_args()
    show(measure(SHARED, given.rounds, given.frames))


if __name__ == "__main__":
    main()
