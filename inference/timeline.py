"""When each frame of a video is shown: that tells which frame a decoder gave, whatever was asked of it.

An MP4's table and an AVI's index say it at once. Other files are read through once, undecoded (340,000
packets/s measured, or as fast as the disk reads), when a frame in the middle is wanted or a gap is seen.
What was found is kept for the process, by the file's path, time and size: 8 bytes a frame, of the last files.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from inference import containers
from inference.avi import stored_times
from inference.mp4 import MOST_FRAMES, shown_times

FILES = 16
"""So many files' timelines are kept."""
REORDERED = 16
"""A frame is stored at most so many places from where it is shown (H.264's and HEVC's bound)."""
_DAMAGED = 64
"""So many packets in a row are passed over before a file counts as ended."""
_LOOK = 4096
"""Packets between two looks whether anybody still waits."""

_Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Timeline:
    """`times`: ms from the first packet, strictly ascending, one for each frame.

    Of these only the first `whole` can be relied on: where a file was cut off, frames may be missing
    between the last ones. `as_decoded`: they are times of decoding, not of showing. A decoder then gives
    each frame the time of a later one, for which it waited, and the last frames share one time.
    """

    times: _Times
    whole: int
    as_decoded: bool = False

    def place(self, ms: float) -> int | None:
        """The place in `times` of a frame shown at `ms`; None if there is none."""
        at = int(np.searchsorted(self.times, ms))
        near = [place for place in (at - 1, at) if 0 <= place < len(self.times)]
        best = min(near, key=lambda place: abs(self.times[place] - ms))
        # Half the shortest step of the fastest cameras; the two sides compute the same time otherwise.
        return best if abs(self.times[best] - ms) < 0.02 else None


Version = tuple[str, int, int]
"""A file's path, time of change (ns) and size."""
_kept: OrderedDict[Version, Timeline | None] = OrderedDict()
_lock = threading.Lock()


def at_hand(path: Path, version: Version | None, claimed: int | None) -> Timeline | None:
    """The timeline of a file, if it is known already or the file has a table.

    `claimed` is the count of frames that the container claims. None, too, if the file has gone.
    """
    if version is None:
        return None
    with _lock:
        if version in _kept:
            _kept.move_to_end(version)
            return _kept[version]
    try:
        with path.open("rb") as file:
            as_decoded = containers.is_avi(file)
            if as_decoded:
                times = stored_times(file)
            else:
                times = shown_times(file, claimed or 0) if containers.is_mp4(file) else None
    except OSError:
        return None
    return None if times is None else _keep(version, Timeline(times, len(times), as_decoded))


def by_packets(
    path: Path, opened: Version | None, size: tuple[int, int], given_up: Callable[[], bool]
) -> Timeline | None:
    """The timeline of a file, read through for it if need be; None if its packets have no times.

    None, too, if the file is not the one any more that was `opened`. `size`, the (width, height) of the
    stream that is decoded, tells it from others. May take as long as reading the file takes; ends soon once
    `given_up` says so.
    """
    if opened is None or version(path) != opened:
        return None
    with _lock:
        if opened in _kept:
            return _kept[opened]
    stored = _packet_times(path, size, given_up)
    if given_up():
        return None
    return _keep(opened, None if stored is None else _made(path, *stored))


def _packet_times(
    path: Path, size: tuple[float, float], given_up: Callable[[], bool]
) -> tuple[_Times, int] | None:
    """Times of the packets as they are stored (ms), and how many come before the first that has none."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    found = array("d")
    readable: int | None = None
    try:
        if size != (capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)):
            return None
        while True:
            if not capture.grab():
                readable = len(found) if readable is None else readable
                if not go_on(capture):
                    return np.array(found), readable
            found.append(capture.get(cv2.CAP_PROP_POS_MSEC))
            if len(found) % _LOOK == 0 and (given_up() or len(found) > MOST_FRAMES):
                return None
    finally:
        capture.release()


def go_on(capture: cv2.VideoCapture) -> bool:
    """Grab what comes after something damaged, which OpenCV answers as it does the end; False at that."""
    return any(capture.grab() for _ in range(_DAMAGED))


def _made(path: Path, stored: _Times, readable: int) -> Timeline | None:
    times = np.sort(stored)
    if not len(times) or np.any(np.diff(times) <= 0):
        return None
    with path.open("rb") as file:
        cut, promises = containers.is_cut(file), containers.promises_length(file)
        as_decoded = containers.is_avi(file)
    damaged = readable < len(stored)
    return Timeline(times, _whole(stored[:readable], cut or damaged, promises), as_decoded)


def _whole(stored: _Times, cut: bool, promises: bool) -> int:
    """How many frames are there without one missing between them.

    A file is cut in the order of storing. Where that is not the order of showing, frames may be missing
    before the last that are there: from the first hole among those on, no number is certain.
    """
    steps = np.diff(np.sort(stored))
    if not len(steps) or np.all(np.diff(stored[-2 * REORDERED :]) > 0):
        return len(stored)
    holes = np.flatnonzero(steps > 1.5 * np.median(steps))
    late = holes[holes >= len(steps) - REORDERED]
    # A container without a length may have been cut anywhere; one of an uneven rate has holes anyway.
    suspect = cut or (not promises and len(holes) == len(late))
    return int(late[0]) + 1 if suspect and len(late) else len(stored)


def version(path: Path) -> Version | None:
    """What tells a file from the one that takes its place; None if there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return str(path), about.st_mtime_ns, about.st_size


def _keep(of: Version, timeline: Timeline | None) -> Timeline | None:
    with _lock:
        _kept[of] = timeline
        while len(_kept) > FILES:
            _kept.popitem(last=False)
    return timeline
