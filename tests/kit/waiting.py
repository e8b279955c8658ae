"""Waiting for conditions, never for time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import psutil


def wait_until(condition: Callable[[], object], patience: float) -> float:
    """Wait for a condition; gives how long it took (s), and fails the test after `patience` s."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < patience, f"it did not come true in {patience} s"
        time.sleep(0.02)
    return time.monotonic() - began


def wait_until_still(value: Callable[[], object], stillness: float = 0.3, patience: float = 30) -> None:
    """Wait until a value has not changed for `stillness` s."""
    seen, since = value(), time.monotonic()

    def still() -> bool:
        nonlocal seen, since
        now = value()
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since >= stillness

    wait_until(still, patience)


def wait_until_gone(processes: Iterable[psutil.Process], patience: float) -> None:
    """Wait until all processes have ended; one that nobody has reaped yet has ended too."""
    wait_until(lambda: not any(map(_lives, processes)), patience)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
