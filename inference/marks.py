"""What kind of model a file holds, told from its bytes, without its being read as what it claims to be.

Files come from strangers, and the web process lists them: so nothing is parsed here but a zip archive's
table. Keras writes a model's configuration as plain JSON, into an HDF5 file as it is, into a `.keras`
archive as a member.
"""

from __future__ import annotations

import functools
import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

_CONFIG = "config.json"
_AT_ONCE = 1 << 20
"""Bytes that are searched at once: nothing else of this process runs meanwhile."""
_UNREADABLE = (
    *(OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError),
    *(struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
"""What reading a file or an archive raises of damaged ones."""
_MOST_CONFIG = 16 << 20
"""Bytes of a configuration that are looked at."""


def holds(file: Path, marks: tuple[bytes, ...]) -> bool:
    """Whether a file holds one of these byte strings; an archive, whether its configuration does."""
    try:
        status = file.stat()
    except OSError:
        return False
    return _holds(file, marks, status.st_mtime_ns, status.st_ctime_ns, status.st_size)


@functools.lru_cache(maxsize=4096)
def _holds(file: Path, marks: tuple[bytes, ...], *version: int) -> bool:
    try:
        if file.suffix.lower() == ".keras":
            with zipfile.ZipFile(file) as archive, archive.open(_CONFIG) as member:
                config = member.read(_MOST_CONFIG)
            return any(mark in config for mark in marks)
        with file.open("rb") as stream:
            return _found(stream, marks)
    except _UNREADABLE:
        # whoever chooses it is told what is wrong with it
        return False


def _found(stream: BinaryIO, marks: tuple[bytes, ...]) -> bool:
    """Whether one of these stands in a file. Not mapped: who shortens a mapped file kills its reader."""
    overlap, before = max(map(len, marks)) - 1, b""
    while part := stream.read(_AT_ONCE):
        part = before + part
        if any(mark in part for mark in marks):
            return True
        before = part[-overlap:]
    return False
