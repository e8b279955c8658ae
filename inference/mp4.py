"""What an MP4 or QuickTime file says of its frames' times: its boxes, read strictly, and nothing decoded.

A file comes from whoever made it, so every size and count is checked against what is there before it is
used; what is not understood entirely is answered with None, never with a guess.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

MOST_TABLE = 128 << 20
"""Bytes that a table of contents (`moov`) may have; hours of video have a few million."""
MOST_FRAMES = 10_000_000
"""Frames of one file, some 90 hours at 30 frames/s: their times are held in memory."""

_MOST_BOXES, _MOST_INNER = 1_000_000, 1000
"""Boxes that are looked at in a file and in a box: a fragmented film of hours has many, no box has."""
_HEAD = 8
_Counts = npt.NDArray[np.int64]


def top_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The file's outermost boxes: (kind, where its content begins, where it should end), in bytes.

    The last one's end lies beyond the file's where the file was cut off.
    """
    end = file.seek(0, os.SEEK_END)
    at = 0
    for _ in range(_MOST_BOXES):
        if at + _HEAD > end:
            return
        file.seek(at)
        head = file.read(16)
        size, begin = int.from_bytes(head[:4], "big"), at + _HEAD
        if size == 1 and len(head) == 16:
            size, begin = int.from_bytes(head[8:], "big"), at + 16
        elif size == 0:  # up to the end of the file
            size = end - at
        if size < begin - at:
            return
        yield head[4:8], begin, at + size
        at += size


def shown_times(file: BinaryIO, claimed: int) -> npt.NDArray[np.float64] | None:
    """When the frames of the video track are shown, ascending, in ms from the first.

    `claimed` is the track's number of samples, by which it is known among several. None if there is no
    table of all frames (the file is in fragments), or if it says what is not understood here.
    """
    moov = next(((begin, end) for kind, begin, end in top_boxes(file) if kind == b"moov"), None)
    if moov is None or not 0 < moov[1] - moov[0] <= MOST_TABLE:
        return None
    size = file.seek(0, os.SEEK_END)
    file.seek(moov[0])
    try:
        return _times(memoryview(file.read(moov[1] - moov[0])), claimed, size)
    except (_Unclear, struct.error, ValueError, OverflowError):
        return None


class _Unclear(Exception):
    """The table says what is not understood."""


def _times(moov: memoryview, claimed: int, size: int) -> npt.NDArray[np.float64]:
    if _child(moov, b"mvex") is not None:
        raise _Unclear
    tracks = [box for kind, box in _boxes(moov) if kind == b"trak"]
    fitting = [track for track in tracks if _is_video(track) and _n_samples(track) == claimed]
    if len(fitting) != 1 or not 0 < claimed <= min(MOST_FRAMES, size):
        raise _Unclear
    (track,) = fitting
    scale = _time_scale(_needed(track, b"mdia", b"mdhd"))
    shown = _media_times(_needed(track, b"mdia", b"minf", b"stbl"), claimed)
    kept = _edited(shown, _child(track, b"edts"), scale, _time_scale(_needed(moov, b"mvhd")))
    if not len(kept) or np.any(np.diff(kept) <= 0):
        raise _Unclear
    return np.asarray((kept - kept[0]) * (1000.0 / scale))


def _media_times(table: memoryview, count: int) -> _Counts:
    """Presentation times of all samples, ascending, in the track's ticks."""
    durations = _expanded(_needed(table, b"stts"), count)
    times = np.concatenate(([0], np.cumsum(durations[:-1])))
    offsets = _child(table, b"ctts")
    if offsets is not None:
        times = times + _expanded(offsets, count, signed=True)
    return np.sort(times)


def _expanded(box: memoryview, count: int, signed: bool = False) -> _Counts:
    """One value a sample, from a table of (how many, value); it must be for `count` samples."""
    (entries,) = struct.unpack_from(">I", box, 4)
    if entries > (len(box) - 8) // 8:
        raise _Unclear
    many = np.frombuffer(box, ">u4", 2 * entries, 8)[::2].astype(np.int64)
    value = np.frombuffer(box, ">i4" if signed else ">u4", 2 * entries, 8)[1::2].astype(np.int64)
    if many.sum() != count:
        raise _Unclear
    return np.repeat(value, many)


def _edited(shown: _Counts, edits: memoryview | None, scale: int, movie_scale: int) -> _Counts:
    """What is left by an edit list of one stretch; a pause before it is none of the frames' business."""
    stretches = [] if edits is None else [edit for edit in _edits(_needed(edits, b"elst")) if edit[1] != -1]
    if not stretches:
        return shown
    if len(stretches) > 1 or stretches[0][2] != 1 << 16:
        raise _Unclear
    duration, begin, _ = stretches[0]
    end = begin + (2 * duration * scale + movie_scale) // (2 * movie_scale)
    # No duration: the whole rest, as files have it that were written as they were recorded.
    return shown[(shown >= begin) & ((shown < end) | (duration == 0))]


def _edits(box: memoryview) -> list[tuple[int, int, int]]:
    """(duration in the movie's ticks, beginning in the track's or -1, rate) of each edit."""
    version, entries = box[0], struct.unpack_from(">I", box, 4)[0]
    form = ">QqI" if version == 1 else ">IiI"
    if entries > 16:
        raise _Unclear
    step = struct.calcsize(form)
    return [struct.unpack_from(form, box, 8 + entry * step) for entry in range(entries)]


def _time_scale(box: memoryview) -> int:
    """Ticks a second, as `mdhd` and `mvhd` have it in one place."""
    (scale,) = struct.unpack_from(">I", box, 20 if box[0] == 1 else 12)
    if scale == 0:
        raise _Unclear
    return int(scale)


def _is_video(track: memoryview) -> bool:
    handler = _child(track, b"mdia", b"hdlr")
    return handler is not None and bytes(handler[8:12]) == b"vide"


def _n_samples(track: memoryview) -> int:
    """How many samples a track has; none of them may be empty, since such are no frames."""
    box = _needed(track, b"mdia", b"minf", b"stbl", b"stsz")
    size, count = struct.unpack_from(">II", box, 4)
    if size == 0 and (count > (len(box) - 12) // 4 or not np.frombuffer(box, ">u4", count, 12).all()):
        raise _Unclear
    return int(count)


def _needed(box: memoryview, *kinds: bytes) -> memoryview:
    found = _child(box, *kinds)
    if found is None or len(found) < 8:
        raise _Unclear
    return found


def _child(box: memoryview, *kinds: bytes) -> memoryview | None:
    """The first box of each kind within the one before it."""
    found: memoryview | None = box
    for kind in kinds:
        found = (
            None if found is None else next((inner for name, inner in _boxes(found) if name == kind), None)
        )
    return found


def _boxes(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    at = 0
    for _ in range(_MOST_INNER):
        if at + _HEAD > len(content):
            return
        size = int.from_bytes(content[at : at + 4], "big")
        if not _HEAD <= size <= len(content) - at:
            return
        yield bytes(content[at + 4 : at + 8]), content[at + _HEAD : at + size]
        at += size
