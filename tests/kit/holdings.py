"""What a program holds of its machine: descriptors, threads, processes, memory, hidden and shared files."""

from __future__ import annotations

import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SHARED = Path("/dev/shm")  # noqa: S108
"""Where shared memory has its names."""


@dataclass(frozen=True)
class Holdings:
    """Of all processes together; `memory` in bytes, `hidden` bytes in open files that have no name."""

    processes: int
    threads: int
    descriptors: int
    memory: int
    hidden: int
    shared: frozenset[str]
    """Names in shared memory that are theirs."""

    def __str__(self) -> str:
        return (
            f"{self.processes} processes, {self.threads} threads, {self.descriptors} descriptors, "
            f"{self.memory / 1e6:.0f} MB, {self.hidden / 1e6:.1f} MB hidden, {len(self.shared)} shared"
        )


def of(family: list[psutil.Process]) -> Holdings:
    """What these processes hold now; memory that they share is counted once for each."""
    return Holdings(
        len(family),
        sum(process.num_threads() for process in family),
        sum(process.num_fds() for process in family),
        sum(process.memory_full_info().uss for process in family),
        sum(hidden(process.pid) for process in family),
        shared(family),
    )


def shared(family: list[psutil.Process]) -> frozenset[str]:
    """Names in shared memory that one of these processes holds, or that bear its number.

    The program makes none of its own. Of its libraries, joblib tries at its import whether there are
    semaphores: for a moment there is one that bears the number of its process. Whatever else is there is
    somebody else's: all programs of a machine have their names in one place.
    """
    held = {name for process in family for name in _held(process.pid)}
    numbers = {str(process.pid) for process in family}
    marked = {path.name for path in SHARED.glob("*") if numbers.intersection(re.findall(r"\d+", path.name))}
    return frozenset(held | marked)


def _held(pid: int) -> set[str]:
    """Names in shared memory that a process has open or mapped, also those that are deleted."""
    places = []
    with suppress(OSError):  # it has ended meanwhile
        places += [line.split(maxsplit=5)[-1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # it was closed meanwhile
                places.append(str(descriptor.readlink()))
    return {place.removeprefix(f"{SHARED}/") for place in places if place.startswith(f"{SHARED}/")}


def hidden(pid: int) -> int:
    """Bytes in files without a name that a process has open: what a server may hide a stream or a body in."""
    sizes = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            status = descriptor.stat()
        except OSError:
            continue  # it was closed meanwhile
        sizes += status.st_size if stat.S_ISREG(status.st_mode) and status.st_nlink == 0 else 0
    return sizes
