"""Interleaved rounds: every candidate once a round, in turn, so that drift is as unkind to all."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping
from typing import Any

Candidates = Mapping[str, Callable[[], float]]
Measured = dict[str, list[float]]


def in_rounds(candidates: Candidates, rounds: int) -> Measured:
    """Every candidate's figures, a figure a round."""
    measured: Measured = {name: [] for name in candidates}
    for number in range(rounds):
        for name, measure in candidates.items():
            progress(f"round {number + 1}/{rounds}: {name}")
            measured[name].append(measure())
    progress("")
    return measured


def progress(text: str) -> None:
    """Say on a terminal what is measured."""
    if sys.stderr.isatty():
        print(f"\r\033[K  {text}"[:110], end="" if text else "\r\033[K", file=sys.stderr, flush=True)


def spread(values: list[float]) -> dict[str, Any]:
    """Median, least and greatest, and the values themselves."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}


def ratio(above: list[float], below: list[float]) -> float:
    """The median of the ratios round by round, which hold when the machine's speed drifts."""
    return statistics.median(x / y for x, y in zip(above, below, strict=True))


def show(title: str, measured: Mapping[str, list[float]]) -> None:
    """Print figures as a table."""
    print(f"\n{title:64s} {'median':>8s} {'min':>8s} {'max':>8s}")
    for name, values in measured.items():
        print(f"{name:64s} {statistics.median(values):8.2f} {min(values):8.2f} {max(values):8.2f}")


def show_target(name: str, value: float, wanted: str, unit: str = "") -> None:
    """Print one figure beside what it is to reach."""
    print(f"{name:64s} {value:8.2f} {unit:5s} (to reach: {wanted})")
