"""The thread that decodes one run's video file, each frame only once there is a free slot in the run's
window.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from inference.errors import VideoError
from inference.messages import EndOfStream, FrameInput, Opened, OpenVideo
from inference.video import Video

log = logging.getLogger(__name__)


class Decoder(threading.Thread):
    """Reads a video from the order's first frame on; gives everything to `inbox`.

    `slots` says how many frames of that many bytes the run may have between decoder and viewer.
    """

    def __init__(self, order: OpenVideo, slots: Callable[[int], int], inbox: queue.SimpleQueue[Any]) -> None:
        super().__init__(name=f"decoder-{order.run[:8]}", daemon=True)
        self.slots = threading.Semaphore(0)
        self.closed = False
        self._order = order
        self._slots = slots
        self._inbox = inbox

    def run(self) -> None:
        """Decode to the end of the run, or until it is closed."""
        end, error = self._order.start, None
        try:
            with Video(Path(self._order.path)) as video:
                self._announce(video)
                for frame in self._frames(video):
                    self._inbox.put(frame)
                    end = frame.index + 1
        except VideoError as problem:
            error = str(problem)
        except Exception:
            log.exception("decoding %s failed", self._order.path)
            error = f"{Path(self._order.path).name} could not be decoded any further; the log says why."
        if not self.closed:
            self._inbox.put(EndOfStream(self._order.run, end, error))

    def close(self) -> None:
        """End the thread soon, whatever it waits for."""
        self.closed = True
        self.slots.release()

    def _announce(self, video: Video) -> None:
        run, size = self._order.run, (video.width, video.height)
        for _ in range(self._slots(video.frame_bytes) - self._order.taken):
            self.slots.release()
        self._inbox.put(Opened(run, *size, video.fps, video.n_frames))

    def _frames(self, video: Video) -> Iterator[FrameInput]:
        order = self._order
        frames = video.frames(order.start, order.stop, lambda: self.closed)
        for index in itertools.count(order.start):
            self.slots.acquire()
            if self.closed:
                return
            before = time.monotonic()
            image = next(frames, None)
            if image is None:
                return
            now = time.monotonic()
            yield FrameInput(order.run, index, image, order.image_width, (now - before) * 1000, now)
