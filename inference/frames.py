"""Sets of frames as ranges: from a list such as "1,2,5-9", and what of a range is still missing. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

from inference.errors import RequestError

Range = tuple[int, int | None]
"""First frame, and the first one that is not in it any more; None: to the end, wherever that is."""

_PART = re.compile(r"\s*([0-9]{1,15})(?:\s*-\s*([0-9]{1,15}))?\s*", re.ASCII)


def parse(text: str) -> list[Range]:
    """Ranges of a list of frames, 0-based, the last one of each part included; RequestError if it is none."""
    ranges: list[tuple[int, int]] = []
    for part in text.split(","):
        match = _PART.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise RequestError(f"{part.strip()!r} is no frame and no range of frames, such as 7 or 5-9.")
        ranges.append((first, last + 1))
    return _joined(ranges)


def _joined(ranges: list[tuple[int, int]]) -> list[Range]:
    joined: list[tuple[int, int]] = []
    for first, stop in sorted(ranges):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((first, stop))
    return list(joined)


def missing(wanted: list[Range], done: Collection[int], end: int | None) -> list[Range]:
    """What of the wanted ranges is not done yet; `end` is the first frame the video has not, if known."""
    known = set(done)
    left: list[Range] = []
    for first, stop in wanted:
        limit = stop if end is None else end if stop is None else min(stop, end)
        last_known = max(known, default=-1)
        closed = last_known + 1 if limit is None else limit
        frames = [frame for frame in range(first, closed) if frame not in known]
        left += _joined([(frame, frame + 1) for frame in frames])
        if limit is None:
            left.append((max(first, closed), None))
    return left


def count(ranges: list[Range], end: int | None) -> int | None:
    """How many frames these are; None if that depends on an end nobody knows."""
    total = 0
    for first, stop in ranges:
        limit = stop if end is None else end if stop is None else min(stop, end)
        if limit is None:
            return None
        total += max(0, limit - first)
    return total
