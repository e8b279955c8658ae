"""Measure every engine and precision with your model, on your video and machine, and say which to choose.

  python -m inference doctor clip.mp4 models/bottomup
  python -m inference doctor clip.mp4 models/centroid models/centered

Each predicts the same frames, spread over the video, in turn: frames/s are medians of what one process makes
of them with all cores, without decoding and JPEG. Points are compared with TensorFlow's in float32. What is
calibrated for it stays in the cache, and serves the app too.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference import agreement, vetting
from inference.agreement import Agreement
from inference.commands.progress import VERBOSITIES, Report, reporter
from inference.engines import Engine, choice
from inference.engines.converted import Cache
from inference.errors import InferenceError, NotFound
from inference.logs import configure_log, stderr_to_log
from inference.messages import PosePrediction
from inference.settings import Settings, available_cores
from inference.vetting import Sample, Tried

CANDIDATES = (("tensorflow", "exact"), ("openvino", "exact"), ("openvino", "fast"), ("openvino", "int8"))
ROUNDS = 3


@dataclass
class Candidate:
    """One engine at one precision: what it gave, or why it cannot serve.

    `found` is how it agrees with `reference`, the first engine that runs the model; `vetted`, what the app
    goes by: how OpenVINO at less than float32 agrees with OpenVINO in float32.
    """

    engine: str
    precision: str
    model: Tried | None = None
    name: str = ""
    problem: str = ""
    rates: list[float] = field(default_factory=list)
    predictions: list[PosePrediction] = field(default_factory=list)
    found: Agreement | None = None
    reference: str = ""
    vetted: Agreement | None = None

    @property
    def title(self) -> str:
        """What it is called in words."""
        return f"{self.engine}, {self.precision}"

    @property
    def rate(self) -> float:
        """Median frames/s; 0 if it cannot serve."""
        return statistics.median(self.rates) if self.rates else 0.0

    @property
    def serves(self) -> bool:
        """Whether the app would run the model so."""
        close = self.precision == "exact" or (self.vetted is not None and self.vetted.is_close)
        return close and self.found is not None and not self.problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("video", type=Path, metavar="VIDEO", help="a video of the kind you have")
    parser.add_argument(
        "models", type=Path, nargs="+", metavar="MODEL",
        help="model file or folder; two for a centroid and a centred-instance model",
    )  # fmt: skip
    parser.add_argument("--cache", type=Path, default=Settings().cache, help="default: cache, beside app.py")
    parser.add_argument("--allow-model-code", action="store_true", help="run code that model files carry")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--verbosity", choices=VERBOSITIES, default="rich", help="how progress is shown")


def run(options: argparse.Namespace) -> int:
    """Measure, print, recommend; 1 if no candidate can run the model."""
    configure_log("error")
    if len(options.models) > 2:
        options.parser.error("one model, or a centroid and a centred-instance model")
    for path in (options.video, *options.models):
        if not path.exists():
            raise NotFound(f"There is no {path}.")
    if not options.video.is_file():
        raise NotFound(f"{options.video} is a folder: a video is needed.")
    frames = vetting.sample(options.video)
    candidates = [Candidate(*one) for one in CANDIDATES]
    for one in candidates:
        if options.verbosity == "rich":
            print(f"Loading: {one.title} ...", file=sys.stderr)
        _open(one, options)
    with reporter(options.verbosity, "Measuring") as report:
        _measure(candidates, frames, report)
    _show(candidates, frames, options)
    return 0 if any(one.serves for one in candidates) else 1


def _open(one: Candidate, options: argparse.Namespace) -> None:
    # a model has to stand directly in its folder, and to be found there by its own name
    paths = sorted((path.resolve() for path in options.models), key=lambda path: path.name)
    cache = Cache(options.cache, Settings().cache_bytes)
    code = options.allow_model_code
    try:
        with stderr_to_log():
            choice.warm(one.engine)
        open_engine: Callable[..., Engine] = choice.opener(one.engine, cache, _silent)
        if one.precision != "exact":
            folder, one.vetted, _ = vetting.tried(
                paths,
                options.video.resolve(),
                one.precision,
                cache=cache,
                allow_model_code=code,
                tell=_silent,
            )
            open_engine = vetting.open_calibrated(cache, folder, one.precision)
        one.model = Tried(paths, open_engine, available_cores(), code)
        one.name = one.model.predictor.info.engine
    except InferenceError as error:
        one.problem = str(error)


def _silent(step: str) -> None:
    """The bar says enough."""


def _measure(candidates: Sequence[Candidate], frames: Sample, report: Report) -> None:
    """Every candidate in turn, round by round: a machine whose speed drifts is as unkind to all."""
    running = [one for one in candidates if one.model is not None]
    total, done = len(running) * (ROUNDS + 1) * len(frames.check), 0
    for number in range(ROUNDS + 1):  # the first one warms up
        for one in running:
            assert one.model is not None  # noqa: S101
            began = time.perf_counter()
            one.predictions = vetting.predict(one.model.predictor, frames.check)
            if number:
                one.rates.append(len(frames.check) / (time.perf_counter() - began))
            done += len(frames.check)
            report(done, total)
    for one in running:
        one.reference = running[0].engine
        one.found = agreement.compare(running[0].predictions, one.predictions, frames.size)


def _show(candidates: Sequence[Candidate], frames: Sample, options: argparse.Namespace) -> None:
    best = max((one for one in candidates if one.serves), key=lambda one: one.rate, default=None)
    if options.json:
        rows = [_row(one) for one in candidates]
        chosen = best and {"engine": best.engine, "precision": best.precision}
        print(json.dumps({"frames": len(frames.check), "candidates": rows, "choose": chosen}, indent=2))
        return
    _table(candidates, frames, options.video.name)
    if best is None:
        print("\nNothing can run this model.")
        return
    print(
        f"\nChoose: python app.py --engine {best.engine} --precision {best.precision}{_why(best, candidates)}"
    )


def _why(best: Candidate, candidates: Sequence[Candidate]) -> str:
    exact = max((one.rate for one in candidates if one.precision == "exact"), default=0.0)
    if best.precision == "exact" or not exact:
        return ", which is the fastest that keeps the points."
    return f", {best.rate / exact:.1f} times as fast as the fastest in float32."


def _row(one: Candidate) -> dict[str, Any]:
    figures = None
    if one.found and one.reference == "tensorflow":
        figures = dataclasses.asdict(one.found) | {"differing": one.found.differing}
    return {
        "engine": one.engine,
        "precision": one.precision,
        "runs_on": one.name,
        "frames_per_second": round(one.rate, 1),
        "against_tensorflow": figures,
        "serves": one.serves,
        "problem": one.problem or (None if one.serves or one.vetted is None else vetting.why_not(one.vetted)),
    }


def _table(candidates: Sequence[Candidate], frames: Sample, video: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{len(frames.check)} frames of {video}", title_justify="left")
    table.add_column("engine, precision")
    for column in ("frames/s", "median px", "p95 px", "peaks", "lost", "gained"):
        table.add_column(column, justify="right")
    for one in candidates:
        figures = ["–"] * 6
        if one.found is not None:
            found = one.found
            shifts = [f"{found.median:.3f}", f"{found.p95:.3f}"]
            figures = [f"{one.rate:.1f}", *shifts, *map(str, (found.peaks, found.lost, found.gained))]
        table.add_row(one.title, *figures)
    console = Console(file=sys.stdout, highlight=False)
    console.print(table)
    reference = next((one.reference for one in candidates if one.reference), "")
    console.print(
        f"px: how far points moved from those of {reference}, exact; peaks: above "
        f"{agreement.SCORE}, of both; lost and gained: without a partner."
    )
    for one in candidates:
        if not one.serves:
            why = one.problem or (vetting.why_not(one.vetted) if one.vetted else "")
            console.print(f"{one.title}: refused. {why[:1].upper()}{why[1:].rstrip('.')}.")
