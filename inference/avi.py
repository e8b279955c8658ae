"""What an AVI's index says of its frames' times: a place for each stored frame, in the order of decoding.

Read strictly and within bounds, as in `mp4.py`; what is not understood entirely is answered with None. A
place with nothing stored (a frame that the recorder dropped, or one packed with another) is no frame.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from inference.mp4 import MOST_FRAMES, MOST_TABLE

_MOST_CHUNKS = 1000
"""Chunks that are looked at in a file or a list; the frames are all within one."""
_MOST_PIECES = 4096
"""Pieces of an index; each is of a gigabyte or so of the file."""
_Sizes = npt.NDArray[np.uint32]


class _Unclear(Exception):
    """The index says what is not understood."""


def stored_times(file: BinaryIO) -> npt.NDArray[np.float64] | None:
    """When the frames of the only video stream are decoded, ascending, in ms from the first place."""
    try:
        return _times(file, file.seek(0, os.SEEK_END))
    except (_Unclear, struct.error, ValueError):
        return None


@dataclass(frozen=True)
class _Stream:
    number: int
    ms: float
    """One place lasts so long."""
    pieces: bytes | None
    """The index of indexes that files over a gigabyte have."""


def _times(file: BinaryIO, size: int) -> npt.NDArray[np.float64]:
    outer = {kind: span for kind, *span in _chunks(file, 12, size)}
    header, index = outer.get(b"hdrl"), outer.get(b"idx1")
    if header is None:
        raise _Unclear
    stream = _video_stream(file, *header)
    if stream.pieces is not None:
        sizes = np.concatenate([_piece(file, at, size) for at in _pieces(stream.pieces)])
    elif index is not None and b"RIFF" not in outer:  # a second part would stand in no index
        sizes = _simple_index(_read(file, *index), stream.number)
    else:
        raise _Unclear
    if not 0 < len(sizes) <= MOST_FRAMES:
        raise _Unclear
    return np.asarray(np.flatnonzero(sizes) * stream.ms)


def _chunks(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its content begins, where it ends); a list goes by the kind of what it holds."""
    for _ in range(_MOST_CHUNKS):
        if at + 12 > end:
            return
        file.seek(at)
        kind, length, inner = struct.unpack("<4sI4s", file.read(12))
        if length > end - at - 8:
            return
        is_list = kind == b"LIST"
        yield inner if is_list else kind, at + (12 if is_list else 8), at + 8 + length
        at += 8 + length + length % 2


def _video_stream(file: BinaryIO, begin: int, end: int) -> _Stream:
    found = []
    streams = [span for kind, *span in _chunks(file, begin, end) if kind == b"strl"]
    for number, span in enumerate(streams[:100]):
        parts = {kind: inner for kind, *inner in _chunks(file, *span)}
        head = _read(file, *parts.get(b"strh", (0, 0)))
        if head[:4] != b"vids":
            continue
        scale, rate = struct.unpack_from("<II", head, 20)
        (sample,) = struct.unpack_from("<I", head, 44)
        if not scale or not rate or sample:
            raise _Unclear
        pieces = _read(file, *parts[b"indx"]) if b"indx" in parts else None
        found.append(_Stream(number, 1000.0 * scale / rate, pieces))
    if len(found) != 1:
        raise _Unclear
    return found[0]


def _simple_index(index: bytes, stream: int) -> _Sizes:
    """The sizes of a stream's chunks, in bytes, from (kind, flags, offset, size) of all streams' chunks."""
    entries = np.frombuffer(index, "<u4", len(index) // 16 * 4).reshape(-1, 4)
    kinds = (int.from_bytes(b"%02d" % stream + what, "little") for what in (b"dc", b"db"))
    return np.asarray(entries[np.isin(entries[:, 0], list(kinds)), 3])


def _pieces(index: bytes) -> list[int]:
    """Where the pieces of an index of indexes stand in the file."""
    longs, _, kind, count = struct.unpack_from("<HBBI", index)
    if longs != 4 or kind != 0 or count > _MOST_PIECES:
        raise _Unclear
    return [struct.unpack_from("<QII", index, 24 + 16 * entry)[0] for entry in range(count)]


def _piece(file: BinaryIO, at: int, size: int) -> _Sizes:
    """The sizes in one piece, in bytes; their highest bit tells of key frames."""
    if at + 32 > size:
        raise _Unclear
    file.seek(at)
    head = file.read(32)
    longs, _, kind, count = struct.unpack_from("<HBBI", head, 8)
    if longs != 2 or kind != 1 or count > MOST_FRAMES:
        raise _Unclear
    entries = np.frombuffer(_read(file, at + 32, min(size, at + 32 + 8 * count)), "<u4")
    if len(entries) != 2 * count:
        raise _Unclear
    return np.asarray(entries[1::2] & 0x7FFFFFFF)


def _read(file: BinaryIO, begin: int, end: int) -> bytes:
    if not 0 <= end - begin <= MOST_TABLE:
        raise _Unclear
    file.seek(begin)
    return file.read(end - begin)
