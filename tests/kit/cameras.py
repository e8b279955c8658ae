"""Sources that play a real video file at their own rate, over and over, as a camera does.

`FilePlayer.open` is what `live.Sources` takes to open a source; a test says how it goes on.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from inference.errors import VideoError


@dataclass
class FilePlayer:
    """A camera that shows a video: `open` it as often as you like, `unplug` it, `plug` it in again."""

    path: Path
    rate: float = 100.0
    plugged: bool = True
    came: dict[int, float] = field(default_factory=dict)
    """When each frame was there, by its number since the camera exists (monotonic s)."""
    tries: list[float] = field(default_factory=list)
    """When it was to be opened (monotonic s)."""
    held: int = 0
    """How often it is open now."""
    size: tuple[int, int] | None = None
    """Width and height in px of what it shows from now on; None: the video's."""
    fault: Exception | None = None
    """What the next grab raises."""
    number: int = 0

    def open(self, location: str) -> FilePlayer.Open:
        """Open the camera."""
        self.tries.append(time.monotonic())
        if not self.plugged:
            raise VideoError("The source cannot be opened.")
        return self.Open(self)

    class Open:
        """The camera while it is open."""

        def __init__(self, player: FilePlayer) -> None:
            self._player = player
            self._capture = cv2.VideoCapture(str(player.path))
            length = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, player.number % length)
            self._due = time.monotonic()
            self._never = threading.Event()
            player.held += 1

        def grab(self) -> bool:
            """The next frame at its time; False once the camera is unplugged."""
            player = self._player
            self._due = max(self._due + 1 / player.rate, time.monotonic())
            self._never.wait(self._due - time.monotonic())
            if player.fault is not None:
                fault, player.fault = player.fault, None
                raise fault
            if not player.plugged:
                return False
            if not self._capture.grab():
                self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                self._capture.grab()
            player.number += 1
            player.came[player.number] = time.monotonic()
            return True

        def retrieve(self) -> np.ndarray | None:
            """The frame."""
            picture = self._capture.retrieve()[1]
            return picture if self._player.size is None else cv2.resize(picture, self._player.size)

        def close(self) -> None:
            """Let go of the camera."""
            self._player.held -= 1
            self._capture.release()
