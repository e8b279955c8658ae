"""Videos: what the program knows of one, whatever its file is like; `numbered.py` reads the frames of a file.

Frames come as (height, width, channels) uint8, gray with one channel or RGB with three, numbered
from 0. A video whose first frame has equal first and last channels is gray; a live source, whose first
frames may be black, always has colour.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

# What they say of a broken file goes to the terminal without naming it; VideoError says it better.
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np
import numpy.typing as npt

from inference import containers
from inference.errors import VideoError
from inference.messages import Frame
from inference.numbered import Numbered

_FORMATS = (
    *("mov", "matroska", "avi", "asf", "flv", "ivf", "mpeg", "mpegts", "mpegvideo", "m4v", "mjpeg", "mxf"),
    *("nut", "ogg", "rm", "swf", "wtv", "yuv4mpegpipe", "rtsp", "mpjpeg", "live_flv", "hls", "h264", "hevc"),
)
"""What is opened. FFmpeg knows lists of other files, too, whatever a file is called: they would lead out."""
_options = os.environ.get("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_flags;prefer_tcp")
if "format_whitelist" not in _options:
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = f"{_options}|format_whitelist;{','.join(_FORMATS)}"

SEEKABLE = frozenset((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"))
"""Containers with an index, by which a frame's surroundings are found without decoding all before it."""
_TIMED = frozenset((".flv", ".wmv", ".asf"))
"""Containers that say how long they last, but not where they end."""

LIVE_PATIENCE = 5.0
"""Seconds without a frame after which a stream counts as lost."""
OPEN_PATIENCE = 10.0
"""Seconds that opening a stream may take: up to 5 of them are spent on finding out what is in it."""


_Raw = npt.NDArray[Any]

# Workers need the cores: one thread decodes far faster than they predict.
cv2.setNumThreads(1)


class Video:
    """An open video file; iterate over `frames`. Raises VideoError if it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seekable = path.suffix.lower() in SEEKABLE
        if not path.is_file():
            raise VideoError(f"{path.name} is not there any more.")
        self._film = Numbered(path)
        first = self._film.first
        if first is None:
            self.close()
            raise VideoError(_why_not(path))
        self.height, self.width = first.shape[:2]
        self._gray = bool((first[..., 0] == first[..., -1]).all())
        self.fps = self._film.fps

    @property
    def n_frames(self) -> int | None:
        """The number of frames; may be the container's claim, which may be wrong. None if it has none."""
        return self._film.n_frames

    def frames(
        self, start: int, stop: int | None, given_up: Callable[[], bool] = lambda: False
    ) -> Iterator[Frame]:
        """Frames `start` up to, not including, `stop` (None: the end), each read when asked for.

        Finding the first may take long; once `given_up` says so, there are none.
        Ends early, without an error, where the video ends. Raises VideoError, which names the frame,
        where the file breaks off before the length it promised, or where a frame cannot be decoded.
        """
        if not self._seek(start, given_up):
            if not given_up() and self._film.whole is not None:
                self._check_end(start)
            return
        index = start
        while stop is None or index < stop:
            frame = self._film.read(index)
            if frame is None:
                self._check_end(index)
                return
            yield self._channels(frame)
            index += 1

    def _seek(self, start: int, given_up: Callable[[], bool]) -> bool:
        """Make `start` the next frame to be read; False if the video ends before it."""
        if start == 0:
            return True
        # Without an index OpenCV goes to where no picture can be made: frames are counted there.
        return self._film.seek(start, given_up) if self.seekable else self._film.count_to(start, given_up)

    def _channels(self, frame: _Raw) -> Frame:
        picture = frame[..., :1] if self._gray else cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        return np.ascontiguousarray(picture, np.uint8)

    def _check_end(self, index: int) -> None:
        """Tell a file that is cut off or damaged from one that has ended."""
        film = self._film
        counted = self.n_frames or 0 if film.counted else 0
        promised = max(film.claimed or 0, counted)
        if film.whole is None and index >= counted and not self._is_cut(promised):
            return
        broken, length = index, f", though the file promises {promised} frames" if index < promised else ""
        if film.whole is not None:
            broken, length = min(index, film.whole), ""
        raise VideoError(
            f"{self._path.name} breaks off: frame {broken} cannot be read{length}. It may be cut off or "
            "damaged: copy it again from where it came, or make do with the frames before."
        )

    def _is_cut(self, promised: int) -> bool:
        """By its container; one that does not tell, by how far the time that it claims is off."""
        if self._path.suffix.lower() not in _TIMED:
            try:
                with self._path.open("rb") as file:
                    return containers.is_cut(file)
            except OSError:
                return False  # deleted meanwhile: what was open was read to its end
        return self.fps is not None and self._film.last_ms / 1000 + 1.5 / self.fps < promised / self.fps

    @property
    def frame_bytes(self) -> int:
        """Size of one decoded frame, in bytes."""
        pixels: int = self.height * self.width
        return pixels if self._gray else 3 * pixels

    def close(self) -> None:
        """Close the file."""
        self._film.close()

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LiveVideo:
    """An open camera or network stream. Raises VideoError if it cannot be opened.

    `location` is a camera's number or device, or an address, as `settings.Source` has it. Whatever a
    stream does, opening it ends within `OPEN_PATIENCE` and each `grab` within `LIVE_PATIENCE`.
    """

    def __init__(self, location: str) -> None:
        self._capture = _open_stream(location) if "://" in location else _open_camera(location)
        if not self._capture.isOpened():
            raise VideoError("The source cannot be opened.")

    def grab(self) -> bool:
        """Wait for the next frame; False if the source is lost."""
        return self._capture.grab()

    def retrieve(self) -> Frame | None:
        """The frame that was grabbed last, blue, green, red; None if it cannot be decoded."""
        return _as_bgr(self._capture.retrieve()[1])

    def close(self) -> None:
        """Let go of the source."""
        self._capture.release()


def _open_stream(address: str) -> cv2.VideoCapture:
    return cv2.VideoCapture(
        address,
        cv2.CAP_FFMPEG,
        [
            *(cv2.CAP_PROP_N_THREADS, 1),
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(OPEN_PATIENCE * 1000)),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(LIVE_PATIENCE * 1000)),
        ],
    )


def _open_camera(device: str) -> cv2.VideoCapture:
    backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    capture = cv2.VideoCapture(int(device) if device.isdecimal() else device, backend)
    # A driver keeps several frames, and hands out the oldest first.
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def _as_bgr(picture: _Raw | None) -> Frame | None:
    if picture is None or picture.dtype != np.uint8 or picture.size == 0:
        return None
    if picture.ndim == 2 or picture.shape[2] == 1:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8)
    return picture


def fitted(picture: Frame, width: int, height: int) -> Frame:
    """A picture of `LiveVideo` as RGB of that size in px: scaled if need be, black to the right and below."""
    rows, columns = picture.shape[:2]
    if (columns, rows) != (width, height):
        scale = min(width / columns, height / rows)
        inner = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        canvas = np.zeros((height, width, 3), np.uint8)
        canvas[: inner[1], : inner[0]] = cv2.resize(picture, inner, interpolation=cv2.INTER_AREA)
        picture = canvas
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _why_not(path: Path) -> str:
    if path.stat().st_size == 0:
        return f"{path.name} is an empty file, not a video."
    with path.open("rb") as file:
        if containers.lacks_contents(file):
            return (
                f"{path.name} has no table of contents (moov), without which no frame can be found: its "
                "recording was not finished, or it was cut off. Copy it again from where it came."
            )
    return (
        f"{path.name} cannot be read as a video: it is none, has no frames, is cut off or damaged, or is in "
        "a format that OpenCV does not decode (AV1, for one)."
    )
