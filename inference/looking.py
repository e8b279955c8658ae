"""A model's files looked at for the first time, by a program of its own (`python -m inference.looking`).

The library that reads HDF5 can run round in circles in a damaged file, and nothing else of its process runs
meanwhile. So a file is looked at first where that hurts nobody, and not for ever. Files that were found in
order are remembered in the cache, by name and version.
"""

from __future__ import annotations

import math
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from inference import model_files
from inference.catalog import key_of
from inference.engines import converted
from inference.engines.converted import Cache, CannotConvert, ProgramFailed
from inference.errors import ModelError
from inference.text.files import is_text, read

LIMIT = 10.0
"""Seconds of the processor that reading a model may take, libraries not counted; it takes some hundredths."""
PATIENCE = 120.0
"""Seconds by the clock that all of it may take: a slow disk or a busy machine delays the program's start."""
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)


def look(cache: Cache, paths: Sequence[Path], *, allow_model_code: bool) -> None:
    """Find out whether these files can be read as models; ModelError says why not."""

    def make(folder: Path) -> None:
        order = {
            "paths": [str(path.absolute()) for path in paths],
            "allow_model_code": allow_model_code,
            "limit": LIMIT,
        }
        names = " + ".join(path.name for path in paths)
        try:
            converted.run("inference.looking", folder, order, PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise ModelError(
                f"{names} could not be read within {PATIENCE:.0f} s, most of it spent waiting: a disk does "
                "not answer, or the machine is too busy. Try again."
            ) from error
        except ProgramFailed as error:
            raise ModelError(f"{names} {_why(-error.status)}") from error

    name = converted.key("looked", key_of(paths), str(allow_model_code))
    try:
        cache.entry(name, make)
    except CannotConvert:
        # it cannot be remembered, so it is looked at every time
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder))


def _why(number: int) -> str:
    """What it means for a model that a signal of this number ended the looking (0 and below: none did)."""
    if number == signal.SIGXCPU:
        return "is damaged: reading it does not come to an end."
    if number in _CRASHES:
        return "is damaged: the library that reads it breaks down on it."
    if number > 0:
        return "could not be read: the program that does so was ended, as where memory runs out. Try again."
    return "could not be read; the log says why."


def main() -> None:
    """Look at the models that the order names.

    The system ends this program once it has had the processor for the limit: a library that holds Python's
    lock keeps every thread from noticing the time, or that whoever started it is dead.
    """
    with converted.ordered(Path(sys.argv[1])) as order:
        _limit_processor(order["limit"])
        for path in order["paths"]:
            found = model_files.inspect(Path(path), allow_model_code=order["allow_model_code"])
            if found.config is not None and is_text(found.config):
                # its weights are read in the process that runs it, too
                read(Path(path))


def _limit_processor(limit: float) -> None:
    """From now on; the system counts from the process' start, and so all that importing has taken."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime + limit)
    # SIGXCPU tells the limit from a kill by others; beyond the second, nothing can be ignored any more.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    # which would leave a core file behind
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
