"""How far a command is, as `--verbosity` asks: a bar (rich), lines of JSON (json), or nothing (none)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

VERBOSITIES = ("none", "rich", "json")
_EVERY = 0.5
"""Lines of JSON come at most this often (s)."""

Report = Callable[[int, int | None], None]
"""Told what is done and how much there is in all (None: nobody knows)."""


@contextmanager
def reporter(verbosity: str, what: str) -> Iterator[Report]:
    """Shows the progress of one piece of work for as long as the context lasts."""
    if verbosity == "rich":
        with _bar(what) as report:
            yield report
    elif verbosity == "json":
        yield _lines(what)
    else:
        yield lambda done, total: None


@contextmanager
def _bar(what: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f} of {task.fields[all]} frames"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    # stderr: the output of a command is its file, or what it prints
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        task = progress.add_task(what, total=None, all="?", rate="")
        began = time.monotonic()
        at_first: list[int] = []

        def report(done: int, total: int | None) -> None:
            at_first[:] = at_first or [done]
            passed = time.monotonic() - began
            rate = f"{(done - at_first[0]) / passed:.1f} frames/s" if passed > 0.5 else ""
            shown = "?" if total is None else f"{total:,}"
            progress.update(task, completed=done, total=total, all=shown, rate=rate)

        yield report


def _lines(what: str) -> Report:
    began = time.monotonic()
    last = [0.0, -1]

    def report(done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - last[0] < _EVERY and done != total:
            return
        if done == last[1]:
            return
        passed = max(now - began, 1e-9)
        last[:] = [now, done]
        line = {"what": what, "done": done, "total": total, "seconds": round(passed, 2)}
        print(json.dumps(line), flush=True)

    return report
