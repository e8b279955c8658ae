"""A video file's frames with their numbers: a seek that lands beside the frame, or a frame that the decoder
drops, is noticed by the time that the frame is shown at (`timeline.py`), and never gets a wrong number.

OpenCV numbers frames by their time and the mean rate, which is right for a constant rate only. So a seek
asks it for about the right place, looks where it came, and decodes on from there, or from further ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference import timeline
from inference.errors import VideoError
from inference.timeline import Timeline

MOST_PIXELS = 64 << 20
"""Pixels of a frame, at most: twice those of 8K. FFmpeg alone takes four times as many: some gigabytes."""

_Raw = npt.NDArray[Any]


class Numbered:
    """An open video file, read frame after frame. `first` is its first frame; None if it has none.

    `claimed` is the number of frames that the container claims, which may be wrong; `fps` its mean rate.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._version = path, timeline.version(path)
        self._capture = _open(path)
        try:
            self.first: _Raw | None = self._grab_first()
        except VideoError:
            self._capture.release()
            raise
        self._held = self.first
        self.fps = _positive(self._capture.get(cv2.CAP_PROP_FPS))
        claimed = _positive(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.claimed = None if claimed is None else round(claimed)
        self.last_ms = self._ms()
        """When the frame read last is shown, in ms."""
        self._first_ms = self.last_ms
        self._step = 1000 / self.fps if self.fps else float("inf")
        self._size = (self._property(cv2.CAP_PROP_FRAME_WIDTH), self._property(cv2.CAP_PROP_FRAME_HEIGHT))
        self._timeline: Timeline | None = None
        self._origin = 0
        self._searched = False
        if self.first is not None:
            self._use(timeline.at_hand(path, self._version, self.claimed))

    def _grab_first(self) -> _Raw | None:
        if not self._capture.isOpened() or not self._capture.grab():
            return None
        # before OpenCV makes its copies; later frames it fits to the size of the first
        width, height = self._property(cv2.CAP_PROP_FRAME_WIDTH), self._property(cv2.CAP_PROP_FRAME_HEIGHT)
        if width * height > MOST_PIXELS:
            raise VideoError(
                f"{self._path.name} has frames of {width} × {height} pixels; {MOST_PIXELS >> 20} million "
                "are the most that are read. Scale it down first."
            )
        return self._capture.retrieve()[1]

    @property
    def n_frames(self) -> int | None:
        """The number of frames: counted, or else what is claimed."""
        if self._timeline is None:
            return self.claimed
        return len(self._timeline.times) - (0 if self._timeline.as_decoded else self._origin)

    @property
    def counted(self) -> bool:
        """Whether `n_frames` is no mere claim."""
        return self._timeline is not None

    @property
    def whole(self) -> int | None:
        """From this frame on none has a certain number (the file is cut off or damaged); None if all have."""
        if self._timeline is None or self._timeline.whole == len(self._timeline.times):
            return None
        return self._timeline.whole - self._origin

    def read(self, index: int) -> _Raw | None:
        """The next frame, which has to be number `index`; None at the end.

        Raises VideoError where that frame cannot be decoded and a later one comes instead.
        """
        if self._held is not None:
            frame, self._held = self._held, None
            return frame
        if not self._grab_checked(index) or (self.whole is not None and index >= self.whole):
            return None
        return self._capture.retrieve()[1]

    def seek(self, index: int, given_up: Callable[[], bool]) -> bool:
        """Make `index` the next frame to be read; False if the video ends before it or nobody waits."""
        self._find_timeline(given_up)
        if self._timeline is None:
            return self.count_to(index, given_up)
        length = self.n_frames if self.whole is None else self.whole
        return not given_up() and index < (length or 0) and self._land(self._timeline, index, given_up)

    def count_to(self, index: int, given_up: Callable[[], bool]) -> bool:
        """The same by reading all frames from the first one on."""
        if not all(not given_up() and self._grab_checked(number) for number in range(1, index)):
            return False
        self._held = None
        return not given_up()

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _land(self, times: Timeline, index: int, given_up: Callable[[], bool]) -> bool:
        wanted = index + self._origin
        # The last frames of an AVI share one time: the one before them can be told.
        certain = min(wanted, len(times.times) - 2) if times.as_decoded and self._origin else wanted
        place = self._approach(times, certain, given_up)
        if place is None:
            return False
        self._refuse_later(certain - self._origin, place - self._origin)
        if not all(self._capture.grab() for _ in range(certain, wanted)):
            return False
        self._held = self._capture.retrieve()[1]
        return self._held is not None

    def _approach(self, times: Timeline, wanted: int, given_up: Callable[[], bool]) -> int | None:
        """Make the frame at that place, or the first after it that can be decoded, the one grabbed last."""
        after = (times.times[wanted] - times.times[self._origin]) / 1000
        guess = 1 + (round(after * self.fps) if self.fps else wanted - self._origin)
        back = 16
        while guess > 1 and not given_up():
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, guess)
            place = self._forward(times, wanted, given_up)
            if place == wanted:
                return place
            # Beside it: where the rate varies, or since a decoder begins with a key frame and may drop what
            # is shown before that. Each step back is four times the last, so that few are made.
            guess, back = guess - back, 4 * back
        self._capture.release()
        self._capture = _open(self._path)
        return self._forward(times, wanted, given_up) if self._capture.grab() else None

    def _forward(self, times: Timeline, wanted: int, given_up: Callable[[], bool]) -> int | None:
        """Read on until that place is reached; where one is then, None if nowhere."""
        place = times.place(self._ms())
        while place is not None and place < wanted:
            if given_up() or not (self._capture.grab() or timeline.go_on(self._capture)):
                return None
            place = times.place(self._ms())
        return place

    def _grab_checked(self, index: int) -> bool:
        """Grab the next frame, which has to be number `index`; False at the end.

        A gap before it is a reason to look for a timeline, and so is an end before the one that is claimed.
        """
        before = self.last_ms
        if not self._capture.grab():
            if index < (self.claimed or 0):
                self._find_timeline(lambda: False)
            if not self._is_due(index) or not timeline.go_on(self._capture):
                return False
        self.last_ms = self._ms()
        step = self.last_ms - before
        if step > 1.5 * self._step:
            self._find_timeline(lambda: False)
        if step > 0:
            self._step = min(self._step, step)
        self._check_number(index)
        return True

    def _is_due(self, index: int) -> bool:
        return self._timeline is not None and index + self._origin < self._timeline.whole

    def _check_number(self, index: int) -> None:
        if self._timeline is None:
            return
        place = self._timeline.place(self.last_ms)
        if place is None:
            self._timeline = None  # it is not of what is decoded: frames are counted
        else:
            self._refuse_later(index, place - self._origin)

    def _find_timeline(self, given_up: Callable[[], bool]) -> None:
        if self._timeline is None and not self._searched:
            self._use(timeline.by_packets(self._path, self._version, self._size, given_up))
            self._searched = True

    def _use(self, found: Timeline | None) -> None:
        """What comes before the first frame that is decoded does not count."""
        origin = None if found is None else found.place(self._first_ms)
        if found is not None and origin is not None:
            self._timeline, self._origin = found, origin

    def _refuse_later(self, index: int, number: int) -> None:
        if number > index:
            raise VideoError(
                f"{self._path.name} is damaged: frame {index} cannot be decoded. The next that can is "
                f"{number}: go on from there; its picture, and some after it, may be damaged, too."
            )

    def _ms(self) -> float:
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC))

    def _property(self, which: int) -> int:
        return int(self._capture.get(which))


def _open(path: Path) -> cv2.VideoCapture:
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])


def _positive(value: float) -> float | None:
    return value if np.isfinite(value) and value > 0 else None
