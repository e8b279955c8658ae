"""Live sources, of which only the newest frame counts.

A `Grabber` reads one source without a pause, so that nothing grows old in anybody's buffer, and keeps the
newest frame alone; every run that watches the source has a `Feed` of it. A source that is lost, or cannot
be opened, is opened again after pauses that grow. Its location may hold a password: nothing said here, in
a message or to the log, names it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from inference.errors import VideoError
from inference.messages import Frame, Opened, SourceStatus
from inference.settings import Source
from inference.video import LiveVideo, fitted

log = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
"""Seconds before each further try to open a lost source; the last one from then on."""
WAITED = 0.003
"""Seconds: a frame that takes as long to come was not lying ready."""
SETTLING = 1.0
"""Seconds after which frames of a newly opened source are taken in any case."""


class Capture(Protocol):
    """An open source."""

    def grab(self) -> bool:
        """Wait for the next frame; False if the source is lost."""

    def retrieve(self) -> Frame | None:
        """The frame that was grabbed last, (height, width, 3) blue, green, red; None if it is damaged."""

    def close(self) -> None:
        """Let go of the source."""


Opener = Callable[[str], Capture]
"""Opens a location, as `settings.Source` has it; VideoError if that cannot be done."""


@dataclass(frozen=True)
class Grabbed:
    """A frame as it came: which one of the source (from 1), its pixels, when it came (monotonic s).

    `ms` is what decoding took.
    """

    number: int
    picture: Frame
    at: float
    ms: float


@dataclass(frozen=True)
class Taken:
    """A frame for a run: RGB in the run's size, when it was captured (monotonic s), what decoding took.

    `sequence` counts the source's frames from the run's first, 0: those between were dropped.
    """

    image: Frame
    at: float
    ms: float
    sequence: int


@dataclass(frozen=True)
class Fresh:
    """A run's feed has a frame that was not taken yet."""

    run: str


class Feed:
    """One run's eye on a source: the newest frame that the run has not had.

    It tells the run, by `hear`, of the source's size once (Opened), of losses and returns (SourceStatus) and,
    once after every frame taken, of a fresh one (Fresh). All frames have the size of the first.
    """

    def __init__(self, run: str, hear: Callable[[Any], None]) -> None:
        self._run = run
        self._hear = hear
        self._lock = threading.Lock()
        self._size: tuple[int, int] | None = None
        self._newest: Grabbed | None = None
        self._first: int | None = None
        self._lost = False

    @property
    def fresh(self) -> bool:
        """Whether there is a frame that was not taken yet."""
        return self._newest is not None

    def take(self) -> Taken:
        """The newest frame; LookupError if it was taken before."""
        with self._lock:
            frame, self._newest = self._newest, None
        if frame is None or self._size is None:
            raise LookupError("no frame has come since the last one was taken")
        self._first = frame.number if self._first is None else self._first
        began = time.monotonic()
        image = fitted(frame.picture, *self._size)
        ms = frame.ms + (time.monotonic() - began) * 1000
        return Taken(image, frame.at, ms, frame.number - self._first)

    def offer(self, frame: Grabbed, source: str) -> None:
        """A newer frame has come (for the grabber)."""
        if self._size is None:
            height, width = frame.picture.shape[:2]
            self._size = (width, height)
            # What a live source says of its rate is often made up.
            self._hear(Opened(self._run, width, height, None, None))
        if self._lost:
            self._lost = False
            self._hear(SourceStatus(self._run, "connected", f"{source} is back."))
        with self._lock:
            waiting, self._newest = self._newest, frame
        if waiting is None:
            self._hear(Fresh(self._run))

    def lose(self, sentence: str) -> None:
        """The source is lost, and it is said what is done about it (for the grabber)."""
        self._lost = True
        self._hear(SourceStatus(self._run, "reconnecting", sentence))


class Grabber(threading.Thread):
    """Reads one source for as long as any feed wants it; then lets go of it and ends."""

    def __init__(self, source: Source, open_: Opener, pauses: Sequence[float] = PAUSES) -> None:
        super().__init__(name=f"grabber-{source.name}", daemon=True)
        self._source = source
        self._open = open_
        self._pauses = pauses
        self._lock = threading.Lock()
        self._feeds: list[Feed] = []
        self._left = threading.Event()
        self._over = False
        self._number = 0
        self._tries = 0
        self._loss: str | None = None

    def join_feed(self, feed: Feed) -> bool:
        """Serve one more feed; False if it is too late, and another grabber is needed."""
        with self._lock:
            if self._over:
                return False
            self._feeds.append(feed)
            self._left.clear()
            if self._loss is not None:
                feed.lose(self._loss)
        return True

    def leave(self, feed: Feed) -> None:
        """Serve a feed no longer."""
        with self._lock:
            if feed in self._feeds:
                self._feeds.remove(feed)
            if not self._feeds:
                self._left.set()

    def run(self) -> None:
        """Open and read, again and again, until nobody watches."""
        while not self._ends():
            lost = self._read_once()
            if lost is not None and not self._left.is_set():
                self._wait(lost)

    def _ends(self) -> bool:
        with self._lock:
            self._over = not self._feeds
            return self._over

    def _read_once(self) -> str | None:
        """Read until nobody watches (None) or the source is lost: what is to be said then."""
        try:
            capture = self._open(self._source.location)
        except VideoError:
            return "cannot be opened"
        except Exception as error:
            log.error("opening %s failed: %s", self._source.name, type(error).__name__)
            return "cannot be opened"
        try:
            return self._read(capture)
        except Exception as error:
            # Not the error itself: libraries put the address into its text.
            log.error("reading %s failed: %s", self._source.name, type(error).__name__)
            return "was lost"
        finally:
            capture.close()

    def _read(self, capture: Capture) -> str | None:
        opened = at = time.monotonic()
        settled = False
        while not self._left.is_set():
            asked = at
            if not capture.grab():
                return "was lost"
            at = time.monotonic()
            # What opening had read to find out what is in the stream comes first, at once, and is old.
            settled = settled or at - asked >= WAITED or at - opened >= SETTLING
            if not settled:
                self._number += 1
                continue
            picture = capture.retrieve()
            if picture is not None:
                self._number += 1
                self._give(Grabbed(self._number, picture, at, (time.monotonic() - at) * 1000))
        return None

    def _give(self, frame: Grabbed) -> None:
        with self._lock:
            self._tries, self._loss = 0, None
            for feed in self._feeds:
                feed.offer(frame, self._source.name)

    def _wait(self, what: str) -> None:
        pause = self._pauses[min(self._tries, len(self._pauses) - 1)]
        self._tries += 1
        with self._lock:
            self._loss = f"{self._source.name} {what}. It is opened again in {pause:g} s (try {self._tries})."
            log.warning("%s", self._loss)
            for feed in self._feeds:
                feed.lose(self._loss)
        self._left.wait(pause)


class Sources:
    """The live sources by their names: one grabber each, shared by all runs that watch it."""

    def __init__(
        self, sources: Sequence[Source] = (), open_: Opener = LiveVideo, pauses: Sequence[float] = PAUSES
    ) -> None:
        self._sources = {source.name: source for source in sources}
        self._open = open_
        self._pauses = pauses
        self._grabbers: dict[str, Grabber] = {}

    def watch(self, name: str, feed: Feed) -> Callable[[], None]:
        """Have a source's frames given to a feed; gives what ends that. One thread at a time may call it."""
        grabber = self._grabbers.get(name)
        if grabber is None or not grabber.join_feed(feed):
            grabber = self._grabbers[name] = Grabber(self._sources[name], self._open, self._pauses)
            grabber.join_feed(feed)
            grabber.start()
        return lambda: grabber.leave(feed)

    def wait(self, patience: float) -> None:
        """Wait until all that nobody watches any more are closed, but not longer than `patience` s."""
        deadline = time.monotonic() + patience
        for grabber in self._grabbers.values():
            grabber.join(max(0.0, deadline - time.monotonic()))
