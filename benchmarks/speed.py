"""Frames/s of the app against the bare engine and the naive way, at every precision; first frames; starts.

Bottom-up at 384 x 384 and a top-down pair. The bare engine gets the very images that the app gives it. It is
measured with all cores in one process, and with one process a core: the app is held against the better.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import rounds
from benchmarks.client import read_stream
from benchmarks.processes import AppProcess, EngineProcess
from inference.settings import HERE, PRECISIONS, available_cores
from tests.kit import barcode

TO_REACH = {"exact": (0.92, 3.2), "fast": (0.88, 5.7), "int8": (0.80, 7.9)}
"""By precision: end to end against the bare engine, and against model.predict."""

BOTTOM_UP = ("minimal_instance.UNet.bottomup",)
TOP_DOWN = ("minimal_instance.UNet.centered_instance", "minimal_instance.UNet.centroid")
VIDEO = "centered_pair_small.mp4"
NOTHING = {"384 x 384": (384, 700), "1024 x 1024": (1024, 250)}
"""Side in px of the generated video, and frames/s to reach."""


class Bench:
    """The processes that one measurement needs, ended together."""

    def __init__(self) -> None:
        self._running: list[AppProcess | EngineProcess] = []

    def engine(self, way: str, models: list[Path], video: Path, frames: int) -> Callable[[], float]:
        """A bare engine with all cores in one process."""
        process = EngineProcess(way, models, video, frames, available_cores())
        self._running.append(process)
        return process.rate

    def engines(self, way: str, models: list[Path], video: Path, frames: int) -> Callable[[], float]:
        """Bare engines side by side, a process of one thread for each core; the slowest counts."""
        count = available_cores()
        processes = [EngineProcess(way, models, video, frames // count, 1) for _ in range(count)]
        self._running += processes

        def rate() -> float:
            for process in processes:
                process.begin()
            return count * min([process.result() for process in processes])

        return rate

    def app(self, *arguments: Any, **options: Any) -> AppProcess:
        """The app."""
        app = AppProcess(*arguments, **options)
        self._running.append(app)
        return app

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.close()


def measure(shared: Path | None, number: int, frames: int, folder: Path) -> dict[str, Any]:
    """All figures of this module."""
    if shared is None:
        print("No shared test data: the sample is measured, and no top-down pair.")
        models, video = [HERE / "models" / "best_model.h5"], next((HERE / "data").glob("*.mp4"))
    else:
        models, video = [shared / "models" / name for name in BOTTOM_UP], shared / "videos" / VIDEO
    figures: dict[str, Any] = {"end_to_end": end_to_end(models, video, number, frames)}
    if shared is not None:
        pair = [shared / "models" / name for name in TOP_DOWN]
        figures["top_down"] = top_down(pair, shared / "videos" / VIDEO, number, frames // 2)
    figures["nothing"] = nothing(folder, number)
    figures["starts"] = starts(number)
    return figures


def end_to_end(models: list[Path], video: Path, number: int, frames: int) -> dict[str, Any]:
    """Bottom-up: model.predict, the bare engines, the app; first frames of a run and after a seek."""
    query = {"video_name": video.name, "model_name": models[0].name}
    first: dict[str, list[float]] = {}
    spent: dict[str, list[float]] = {}
    with Bench() as bench:
        candidates = {"model.predict, a frame at a time": bench.engine("naive", models, video, frames // 8)}
        for precision in PRECISIONS:
            way = f"openvino,{precision}"
            candidates[f"{precision}: bare, one process"] = bench.engine(way, models, video, frames)
            candidates[f"{precision}: bare, a process a core"] = bench.engines(way, models, video, frames)
            app = bench.app(video.parent, models[0].parent, available_cores(), "--precision", precision)
            read_stream(app.address, {**query, "stop": 64})

            def run(app: AppProcess = app, precision: str = precision) -> float:
                before = app.spent()
                measured = read_stream(app.address, {**query, "stop": frames})
                for what, ms in (app.spent() - before).items():
                    spent.setdefault(f"{precision}: {what}", []).append(ms / frames)
                sought = read_stream(
                    app.address, {**query, "start": frames // 2 + 7, "stop": frames // 2 + 15}
                )
                first.setdefault(f"{precision}: of a run", []).append(measured.first_after * 1000)
                first.setdefault(f"{precision}: after a seek", []).append(sought.first_after * 1000)
                return measured.rate

            candidates[f"{precision}: the app, end to end"] = run
        measured = rounds.in_rounds(candidates, number)
    rounds.show(f"{models[0].name}, {frames} frames: frames/s", measured)
    ratios = {}
    for precision, (of_bare, of_naive) in TO_REACH.items():
        app_rates = measured[f"{precision}: the app, end to end"]
        bare = better(measured, f"{precision}: bare")
        ratios[precision] = {
            "of_bare": rounds.ratio(app_rates, bare),
            "of_model_predict": rounds.ratio(app_rates, measured["model.predict, a frame at a time"]),
        }
        rounds.show_target(f"{precision}: app / bare engine", ratios[precision]["of_bare"], f"{of_bare}")
        rounds.show_target(
            f"{precision}: app / model.predict", ratios[precision]["of_model_predict"], f"{of_naive}"
        )
        spent[f"{precision}: bare"] = [1000 * available_cores() / rate for rate in bare]
    rounds.show("ms of a core a frame", dict(sorted(spent.items())))
    rounds.show("first frame message after the request, ms (to reach: 150)", first)
    return {
        "frames_per_second": {name: rounds.spread(values) for name, values in measured.items()},
        "ratios": ratios,
        "core_ms_per_frame": {name: rounds.spread(values) for name, values in spent.items()},
        "first_frame_ms": {name: rounds.spread(values) for name, values in first.items()},
    }


def better(measured: rounds.Measured, beginning: str) -> list[float]:
    """Of the candidates so called, the one that is faster."""
    return max(
        (rates for name, rates in measured.items() if name.startswith(beginning)), key=statistics.median
    )


def top_down(pair: list[Path], video: Path, number: int, frames: int) -> dict[str, Any]:
    """A top-down pair, exact, 2 animals: the app against both bare engines, on the same frames and crops."""
    query = {"video_name": video.name, "model_name": [model.name for model in pair], "max_instances": 2}
    with Bench() as bench:
        app = bench.app(video.parent, pair[0].parent, available_cores())
        read_stream(app.address, {**query, "stop": 64})
        measured = rounds.in_rounds(
            {
                "top-down: bare, one process": bench.engine("openvino,exact", pair, video, frames),
                "top-down: bare, a process a core": bench.engines("openvino,exact", pair, video, frames),
                "top-down: the app": lambda: read_stream(app.address, {**query, "stop": frames}).rate,
            },
            number,
        )
    rounds.show(f"top-down, 2 animals, {frames} frames: frames/s", measured)
    share = rounds.ratio(measured["top-down: the app"], better(measured, "top-down: bare"))
    rounds.show_target("top-down: app / bare engines", share, "0.80")
    return {
        "frames_per_second": {name: rounds.spread(values) for name, values in measured.items()},
        "of_bare": share,
    }


def nothing(folder: Path, number: int) -> dict[str, Any]:
    """The pipeline with JPEG and event stream, with a model that does nothing."""
    (folder / "m.nothing").touch()
    with Bench() as bench:
        app = bench.app(folder, folder, available_cores(), module="benchmarks.nothing_app")
        candidates = {}
        for size, (side, wanted) in NOTHING.items():
            video = barcode.write(folder / f"nothing{side}.mp4", 1000, width=side, height=side)
            query = {"video_name": video.name, "model_name": "m.nothing"}
            read_stream(app.address, {**query, "stop": 64})
            candidates[f"{size} gray (to reach: {wanted})"] = lambda query=query: (
                read_stream(app.address, query).rate
            )
        measured = rounds.in_rounds(candidates, number)
    rounds.show("a model that does nothing, frames/s", measured)
    return {name: rounds.spread(values) for name, values in measured.items()}


def starts(number: int) -> dict[str, Any]:
    """How long the page and the workers take, in s, with the sample model in the cache."""
    page, ready = [], []
    for count in range(number + 1):
        with Bench() as bench:
            app = bench.app(HERE / "data", HERE / "models", available_cores())
            if count:  # the first one may have converted the model
                page.append(app.answers_after)
                ready.append(app.ready_after)
    rounds.show(
        "after the start, s",
        {"the page answers (to reach: 1.5)": page, "workers ready (to reach: 4)": ready},
    )
    return {"page_answers_s": rounds.spread(page), "workers_ready_s": rounds.spread(ready)}
