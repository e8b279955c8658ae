"""`make bench`: everything that is promised of the app's speed, in one run.

Prints tables and writes the figures as JSON, and a chart of how cost grows. What is compared is measured in
interleaved rounds, so that a machine whose speed drifts is as unkind to all; figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import growth, kinds, memory, speed
from inference.settings import HERE, available_cores

SHARED = Path(os.environ.get("INFERENCE_TEST_DATA", HERE.parent / "shared" / "data")) / "sleap"
RESULTS = HERE / "benchmarks" / "results"
PARTS = ("speed", "kinds", "growth", "memory", "drawing")


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--frames", type=int, default=800, help="frames per measurement (default 800)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts (default: all)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for figures and chart")
    wanted = parser.parse_args()
    shared = SHARED if SHARED.is_dir() else None
    wanted.results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        parts: dict[str, Callable[[], Any]] = {
            "speed": lambda: speed.measure(shared, wanted.rounds, wanted.frames, folder),
            "kinds": lambda: _kinds(shared, wanted.rounds, min(150, wanted.frames)),
            "growth": lambda: _growth(folder, min(3, wanted.rounds), wanted.results),
            "memory": lambda: memory.measure(folder),
            "drawing": _drawing,
        }
        results = {part: parts[part]() for part in PARTS if part in wanted.only}
    latest = wanted.results / "latest.json"
    latest.write_text(json.dumps({"machine": _machine(), **results}, indent=2) + "\n")
    print(f"\nWritten to {latest}")
    return 0


def _kinds(shared: Path | None, rounds: int, frames: int) -> dict[str, Any] | None:
    if shared is None:
        return None
    figures = kinds.measure(shared, rounds, frames)
    kinds.show(figures)
    return figures


def _growth(folder: Path, rounds: int, results: Path) -> dict[str, Any]:
    figures = growth.measure(folder, rounds)
    growth.write(figures, results)
    return figures


def _machine() -> dict[str, Any]:
    return {
        "cores": available_cores(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
    }


def _drawing() -> list[dict[str, Any]]:
    from benchmarks import drawing

    figures = [drawing.measure(**case) for case in drawing.CASES]
    drawing.show(figures)
    return figures


if __name__ == "__main__":
    sys.exit(main())
