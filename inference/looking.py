"""A model's files looked at for the first time, by a program of its own (`python -m inference.looking`).

The library that reads HDF5 can run round in circles in a damaged file, and nothing else of its process runs
meanwhile. So a file is looked at first where that hurts nobody, and not for ever. Files that were found in
order are remembered in the cache, by name and version.
"""

from __future__ import annotations

import math
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from inference import model_files
from inference.catalog import key_of
from inference.engines import converted
from inference.engines.converted import Cache, CannotConvert
from inference.errors import ModelError
from inference.text.files import is_text, read

LIMIT = 10.0
"""Seconds that looking at a model may take; it takes a quarter of one, most of it for the program's start."""


def look(cache: Cache, paths: Sequence[Path], *, allow_model_code: bool) -> None:
    """Find out whether these files can be read as models; ModelError says why not."""

    def make(folder: Path) -> None:
        order = {
            "paths": [str(path.absolute()) for path in paths],
            "allow_model_code": allow_model_code,
            "limit": LIMIT,
        }
        try:
            converted.run("inference.looking", folder, order, LIMIT)
        except subprocess.TimeoutExpired as error:
            names = " + ".join(path.name for path in paths)
            raise ModelError(f"{names} is damaged: reading it does not come to an end.") from error

    name = converted.key("looked", key_of(paths), str(allow_model_code))
    try:
        cache.entry(name, make)
    except CannotConvert:
        # it cannot be remembered, so it is looked at every time
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder))


def main() -> None:
    """Look at the models that the order names.

    The system ends this program once it has had the processor for the limit, too: whoever started it may be
    dead, and a library that holds Python's lock keeps every thread from noticing that.
    """
    with converted.ordered(Path(sys.argv[1])) as order:
        seconds = math.ceil(order["limit"])
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        for path in order["paths"]:
            found = model_files.inspect(Path(path), allow_model_code=order["allow_model_code"])
            if found.config is not None and is_text(found.config):
                # its weights are read in the process that runs it, too
                read(Path(path))


if __name__ == "__main__":
    main()
