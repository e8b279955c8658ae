"""How far a command is, as `--verbosity` asks: a bar (rich), lines of JSON (json), or nothing (none)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

VERBOSITIES = ("none", "rich", "json")
_EVERY = 0.5
"""Lines of JSON come at most this often (s)."""


class Report(Protocol):
    """Told what is done, how much there is in all (None: nobody knows), and other figures by their names."""

    def __call__(self, done: int, total: int | None, **figures: float) -> None:
        """Show it."""


@contextmanager
def reporter(verbosity: str, what: str, unit: str = "frames") -> Iterator[Report]:
    """Shows the progress of one piece of work, counted in units, for as long as the context lasts."""
    if verbosity == "rich":
        with _bar(what, unit) as report:
            yield report
    elif verbosity == "json":
        yield _lines(what)
    else:
        yield lambda done, total, **figures: None


@contextmanager
def _bar(what: str, unit: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn(f"{{task.completed:,.0f}} of {{task.fields[all]}} {unit}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    # stderr: the output of a command is its file, or what it prints
    print(what, file=sys.stderr)  # beside the bar, a long name would leave no room for it
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        task = progress.add_task("", total=None, all="?", rate="", figures="")
        began = time.monotonic()
        at_first: list[int] = []

        def report(done: int, total: int | None, **figures: float) -> None:
            at_first[:] = at_first or [done]
            passed = time.monotonic() - began
            rate = _rate((done - at_first[0]) / passed) if passed > 0.5 else ""
            shown = "?" if total is None else f"{total:,}"
            others = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in figures.items())
            progress.update(task, completed=done, total=total, all=shown, rate=rate, figures=others)

        yield report


def _rate(each_second: float) -> str:
    return f"{each_second:,.{1 if each_second < 100 else 0}f}/s"


def _lines(what: str) -> Report:
    began = time.monotonic()
    last = [0.0, -1]

    def report(done: int, total: int | None, **figures: float) -> None:
        now = time.monotonic()
        if now - last[0] < _EVERY and done != total:
            return
        if done == last[1]:
            return
        passed = max(now - began, 1e-9)
        last[:] = [now, done]
        line = {"what": what, "done": done, "total": total, "seconds": round(passed, 2), **figures}
        print(json.dumps(line), flush=True)

    return report
