"""`make bench`: the app against the bare engine and the naive way, side by side in one run.

Prints a table and writes the same figures as JSON. Every round measures each candidate once, in turn, so
that a machine whose speed drifts is as unkind to all; figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import kinds
from benchmarks.client import read_stream
from benchmarks.processes import AppProcess, EngineProcess
from inference.settings import HERE, available_cores
from tests.kit import barcode

SHARED = Path(os.environ.get("INFERENCE_TEST_DATA", HERE.parent / "shared" / "data")) / "sleap"


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--frames", type=int, default=400, help="frames per measurement (default 400)")
    parser.add_argument("--skip-memory", action="store_true", help="leave out the memory's long run")
    parser.add_argument("--skip-drawing", action="store_true", help="leave out the page (needs Chromium)")
    parser.add_argument("--json", type=Path, default=HERE / "benchmarks" / "results" / "latest.json")
    wanted = parser.parse_args()
    results: dict[str, Any] = {"machine": _machine()}
    with tempfile.TemporaryDirectory() as folder:
        results["speed"] = measure_speed(wanted.rounds, wanted.frames, Path(folder))
        if SHARED.is_dir():
            results["kinds"] = kinds.measure(SHARED, wanted.rounds, min(150, wanted.frames))
            kinds.show(results["kinds"])
        if not wanted.skip_memory:
            results["memory"] = measure_memory(Path(folder))
    if not wanted.skip_drawing:
        results["drawing"] = _measure_drawing()
    wanted.json.parent.mkdir(parents=True, exist_ok=True)
    wanted.json.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nWritten to {wanted.json}")
    return 0


def _machine() -> dict[str, Any]:
    return {
        "cores": available_cores(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
    }


def _material() -> tuple[Path, Path]:
    """Model and video: the shared bottom-up model where it is, else the sample."""
    model = SHARED / "models" / "minimal_instance.UNet.bottomup"
    video = SHARED / "videos" / "centered_pair_small.mp4"
    if model.exists() and video.exists():
        return model, video
    print("No shared test data: measuring the sample instead.")
    return HERE / "models" / "best_model.h5", next((HERE / "data").glob("*.mp4"))


def measure_speed(rounds: int, frames: int, folder: Path) -> dict[str, Any]:
    """Frames/s of every candidate, in interleaved rounds."""
    model, video = _material()
    print(f"{model.name} on {video.name}, {frames} frames a measurement, {rounds} rounds")
    nothing = barcode.write(folder / "nothing.mp4", 1000, width=384, height=384)
    (folder / "m.nothing").touch()
    cores = available_cores()
    naive = EngineProcess("naive", model, video, max(1, frames // 4), cores)
    bare = EngineProcess("bare", model, video, frames, cores)
    single = [EngineProcess("bare", model, video, frames // cores, 1) for _ in range(cores)]
    apps = {servers: AppProcess(video.parent, model.parent, servers) for servers in (1, 2)}
    idle = AppProcess(folder, folder, 1, module="benchmarks.nothing_app")
    query = {"video_name": video.name, "model_name": model.name}
    idle_query = {"video_name": nothing.name, "model_name": "m.nothing"}
    first: dict[str, list[float]] = {f"{servers} worker(s)": [] for servers in apps}

    def end_to_end(servers: int) -> float:
        measured = read_stream(apps[servers].address, {**query, "stop": frames})
        first[f"{servers} worker(s)"].append(measured.first_after * 1000)
        return measured.rate

    def side_by_side() -> float:
        for engine in single:
            engine.begin()
        return len(single) * min([engine.result() for engine in single])

    candidates: dict[str, Callable[[], float]] = {
        f"(a) {naive.note}": naive.rate,
        f"(b) engine alone, {cores} threads, {bare.note}": bare.rate,
        f"(b) engine alone, {cores} processes of 1 thread, {single[0].note}": side_by_side,
        "(c) the app end to end, 1 worker": lambda: end_to_end(1),
        "(c) the app end to end, 2 workers": lambda: end_to_end(2),
        "(d) the pipeline, a model that does nothing": lambda: read_stream(idle.address, idle_query).rate,
    }
    try:
        for servers in apps:
            read_stream(apps[servers].address, {**query, "stop": 64})
        read_stream(idle.address, {**idle_query, "stop": 64})
        for values in first.values():
            values.clear()
        rates = _in_rounds(candidates, rounds)
        return {
            "frames_per_second": rates,
            "first_frame_ms": {name: _spread(values) for name, values in first.items()},
            "page_answers_s": {str(servers): app.answers_after for servers, app in apps.items()},
            "workers_ready_s": {str(servers): app.ready_after for servers, app in apps.items()},
            "ratios": _ratios(rates),
        }
    finally:
        for engine in (naive, bare, *single):
            engine.close()
        for app in (*apps.values(), idle):
            app.close()


def _in_rounds(candidates: dict[str, Callable[[], float]], rounds: int) -> dict[str, Any]:
    measured: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds):
        for name, measure in candidates.items():
            measured[name].append(measure())
            if sys.stderr.isatty():
                print(f"\r  round {number + 1}/{rounds}: {name:60s}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r" + " " * 90 + "\r", end="", file=sys.stderr)
    print(f"{'frames/s':60s} {'median':>8s} {'min':>8s} {'max':>8s}")
    for name, values in measured.items():
        print(f"{name:60s} {statistics.median(values):8.1f} {min(values):8.1f} {max(values):8.1f}")
    return {name: {**_spread(values), "values": values} for name, values in measured.items()}


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _ratios(rates: dict[str, Any]) -> dict[str, float]:
    """Medians of the ratios round by round, which hold when the machine's speed drifts."""
    a, threads, processes, one, two, _ = (row["values"] for row in rates.values())
    better = max((one, two), key=statistics.median)
    b = max((threads, processes), key=statistics.median)

    def ratio(above: list[float], below: list[float]) -> float:
        return statistics.median(x / y for x, y in zip(above, below, strict=True))

    ratios = {
        "end to end / bare engine": ratio(better, b),
        "end to end / model.predict": ratio(better, a),
        "2 workers / 1 worker": ratio(two, one),
    }
    for name, value in ratios.items():
        print(f"{name:60s} {value:8.2f}")
    return ratios


def measure_memory(folder: Path) -> dict[str, Any]:
    """Memory of all processes at frames 500 and 5,000 of a generated video."""
    video = barcode.write(folder / "memory.mp4", 5200, width=384, height=384)
    app = AppProcess(folder, folder, 2, module="benchmarks.nothing_app")
    try:
        held: dict[int, int] = {}
        look = {frame: lambda frame=frame: held.update({frame: app.memory()}) for frame in (500, 5000)}
        read_stream(app.address, {"video_name": video.name, "model_name": "m.nothing"}, look)
    finally:
        app.close()
    growth = held[5000] / held[500] - 1
    what = "memory of all processes, frame 500 -> 5,000 (MB)"
    print(f"{what:60s} {held[500] / 1e6:8.0f} {held[5000] / 1e6:8.0f}")
    return {"bytes": held, "growth": growth}


def _measure_drawing() -> list[dict[str, Any]]:
    from benchmarks import drawing

    figures = [drawing.measure(**case) for case in drawing.CASES]
    drawing.show(figures)
    return figures


if __name__ == "__main__":
    sys.exit(main())
