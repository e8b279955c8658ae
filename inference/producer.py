"""The frame producer: decodes the runs' videos and deals batches of frames to the workers.

One thread per run decodes a file, one per live source grabs, one takes orders, and the main thread does
everything else: it alone owns the books and the sockets. Forward only; two credits bound what is under
way: a run's window (given back when its viewer took a frame) and the workers' capacity (given back when
a batch's results are in). A batch's frames are kept until then, so that they can be sent again.

A run of a live source has no window: its frame is taken, the newest there is, when it can be sent at once.
While there is such a run, nothing waits at a worker: every batch, a file's too, has one frame, and no more
are under way than there are workers.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from inference.errors import VideoError
from inference.live import Feed, Fresh, Sources
from inference.messages import (
    Batch,
    BeginRun,
    Capacity,
    CloseRun,
    Credit,
    EndOfStream,
    Finished,
    Frame,
    Opened,
    OpenRun,
    Ping,
    Pong,
    Quit,
    Resend,
    Sent,
    SourceStatus,
)
from inference.video import Video

log = logging.getLogger(__name__)

CLOSING = 0.3
"""Seconds that live sources have, at the program's end, to be let go of in good order."""


class Orders(Protocol):
    """Where the producer's orders come from and its news go to."""

    def send(self, message: Any) -> None:
        """Tell the pipeline something."""

    def receive(self) -> Any:
        """Wait for the next order; EOFError when there will be none."""


class Outlet(Protocol):
    """Where batches go."""

    def send(self, message: Any, timeout: float) -> bool:
        """Send a batch within `timeout` s; False if no worker takes it."""


@dataclass(frozen=True)
class Limits:
    """How much may be under way: frames in a batch, s to wait for it to fill, frames and bytes of a run.

    Of the batches that may be at the workers, every worker has `batches_per_worker`.
    """

    batch_size: int
    batch_wait: float
    window: int
    window_bytes: int
    batches_per_worker: int = 1

    def slots(self, frame_bytes: int) -> int:
        """Frames of that size that one run may have between decoder and viewer."""
        return min(self.window, max(2 * self.batch_size, self.window_bytes // max(1, frame_bytes)))


@dataclass(frozen=True)
class Decoded:
    """One frame with its index, when it was decoded (monotonic s) and how long that took (ms).

    Of a live source: when it was captured, and its place among all frames that the source gave.
    """

    index: int
    image: Frame
    at: float
    ms: float
    sequence: int | None = None


class Decoder(threading.Thread):
    """Reads one run's frames, each only once there is a free slot in the run's window."""

    def __init__(self, order: OpenRun, limits: Limits, inbox: queue.SimpleQueue[Any]) -> None:
        super().__init__(name=f"decoder-{order.run[:8]}", daemon=True)
        self.slots = threading.Semaphore(0)
        self.closed = False
        self._order = order
        self._limits = limits
        self._inbox = inbox

    def run(self) -> None:
        """Decode to the end of the run, or until it is closed."""
        end, error = self._order.start, None
        try:
            with Video(Path(self._order.path)) as video:
                self._announce(video)
                for frame in self._frames(video):
                    self._inbox.put((self._order.run, frame))
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
        for _ in range(self._limits.slots(video.frame_bytes) - self._order.taken):
            self.slots.release()
        self._inbox.put(Opened(run, *size, video.fps, video.n_frames))

    def _frames(self, video: Video) -> Any:
        frames = video.frames(self._order.start, self._order.stop, lambda: self.closed)
        for index in _count(self._order.start):
            self.slots.acquire()
            if self.closed:
                return
            before = time.monotonic()
            image = next(frames, None)
            if image is None:
                return
            now = time.monotonic()
            yield Decoded(index, image, now, (now - before) * 1000)


def _count(start: int) -> Any:
    while True:
        yield start
        start += 1


@dataclass
class _Run:
    order: OpenRun
    begun: bool = False
    ended: bool = False
    again: deque[list[Decoded]] = field(default_factory=deque)

    def ripe(self, limits: Limits, now: float) -> bool:
        """Whether a batch can be made."""
        return self.begun and bool(self.again)

    def take(self, limits: Limits) -> list[Decoded]:
        """The next batch's frames; those to be run again first, since the viewer waits for them."""
        return self.again.popleft()

    def waits_since(self) -> float | None:
        """When the first frame was decoded that waits for its batch to fill (monotonic s), if one does."""
        return None

    def credit(self, frames: int) -> None:
        """The viewer took so many frames."""

    def close(self) -> None:
        """End whatever gives it frames."""


@dataclass
class _FileRun(_Run):
    decoder: Decoder = field(kw_only=True)
    fresh: deque[Decoded] = field(default_factory=deque)
    size: int = 1
    """Frames in the next batch: in the run's first only one, since somebody waits for it."""

    def ripe(self, limits: Limits, now: float) -> bool:
        """Whether a batch can be made: full, or as full as it gets, or waiting long enough."""
        if not self.begun:
            return False
        if self.again or len(self.fresh) >= min(self.size, limits.batch_size):
            return True
        return bool(self.fresh) and (self.ended or now - self.fresh[0].at >= limits.batch_wait)

    def take(self, limits: Limits) -> list[Decoded]:
        if self.again:
            return super().take(limits)
        size, self.size = min(self.size, limits.batch_size, len(self.fresh)), limits.batch_size
        return [self.fresh.popleft() for _ in range(size)]

    def waits_since(self) -> float | None:
        return self.fresh[0].at if self.begun and self.fresh else None

    def credit(self, frames: int) -> None:
        for _ in range(frames):
            self.decoder.slots.release()

    def close(self) -> None:
        self.decoder.close()


@dataclass
class _LiveRun(_Run):
    """Its frames are numbered as they are taken, and taken one at a time."""

    feed: Feed = field(kw_only=True)
    leave: Callable[[], None] = field(kw_only=True)
    next: int = field(kw_only=True)

    @property
    def complete(self) -> bool:
        """Whether the run has all frames that were asked for."""
        return self.order.stop is not None and self.next >= self.order.stop

    def ripe(self, limits: Limits, now: float) -> bool:
        return self.begun and (bool(self.again) or (self.feed.fresh and not self.complete))

    def take(self, limits: Limits) -> list[Decoded]:
        if self.again:
            return super().take(limits)
        frame = self.feed.take()
        self.next += 1
        sequence = self.order.sequence + frame.sequence
        return [Decoded(self.next - 1, frame.image, frame.at, frame.ms, sequence)]

    def close(self) -> None:
        self.leave()


@dataclass(frozen=True)
class _UnderWay:
    run: str
    frames: list[Decoded]


class Producer:
    """The books of the producer: runs in turn, batches under way, credit."""

    def __init__(
        self, orders: Orders, outlet: Outlet, limits: Limits, sources: Sources, first_batch: int
    ) -> None:
        self._orders = orders
        self._outlet = outlet
        self._full_limits = limits
        self._live_limits = replace(limits, batch_size=1)
        self._sources = sources
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._runs: dict[str, _Run] = {}
        self._under_way: dict[int, _UnderWay] = {}
        self._capacity = 0
        self._next_batch = first_batch
        self._quit = False

    def loop(self) -> None:
        """Work until told to quit or until the pipeline is gone."""
        threading.Thread(target=self._take_orders, name="orders", daemon=True).start()
        while not self._quit:
            self._handle_all(self._patience())
            while self._send_one():
                self._handle_all(0)
        for run in self._runs.values():
            run.close()
        self._sources.wait(CLOSING)

    def _take_orders(self) -> None:
        try:
            while True:
                order = self._orders.receive()
                if isinstance(order, Ping):
                    self._orders.send(Pong())
                else:
                    self._inbox.put(order)
        except (EOFError, OSError):
            self._inbox.put(Quit())

    @property
    def _live(self) -> bool:
        return any(run.begun and isinstance(run, _LiveRun) for run in self._runs.values())

    @property
    def _limits(self) -> Limits:
        return self._live_limits if self._live else self._full_limits

    @property
    def _room(self) -> int:
        """How many batches more may be sent."""
        most = self._capacity // self._limits.batches_per_worker if self._live else self._capacity
        return most - len(self._under_way)

    def _patience(self) -> float | None:
        """How long nothing can be done unless something comes in (s; None: for ever)."""
        since = [run.waits_since() for run in self._runs.values()]
        waiting = [at for at in since if at is not None]
        if not waiting or self._room <= 0:
            return None
        return max(0.0, min(waiting) + self._limits.batch_wait - time.monotonic())

    def _handle_all(self, patience: float | None) -> None:
        try:
            self._handle(self._inbox.get(timeout=patience) if patience != 0 else self._inbox.get_nowait())
            while True:
                self._handle(self._inbox.get_nowait())
        except queue.Empty:
            pass

    def _handle(self, item: Any) -> None:
        match item:
            case (str(name), Decoded() as frame):
                if isinstance(run := self._runs.get(name), _FileRun):
                    run.fresh.append(frame)
            case Fresh():
                pass  # it has woken the loop, which looks for itself
            case Credit(name, frames):
                if name in self._runs:
                    self._runs[name].credit(frames)
            case Finished(batch):
                self._under_way.pop(batch, None)
            case Capacity(batches):
                self._capacity = batches
            case Opened(name):
                self._orders.send(item)
                self._end_if_complete(name)
            case SourceStatus():
                self._orders.send(item)
            case EndOfStream(name):
                if name in self._runs:
                    self._runs[name].ended = True
                self._orders.send(item)
            case OpenRun(name):
                self._runs[name] = self._open_live(item) if item.live else self._open_file(item)
            case BeginRun(name):
                if name in self._runs:
                    self._runs[name].begun = True
            case CloseRun(name):
                if name in self._runs:
                    self._runs.pop(name).close()
            case Resend():
                self._run_again(item)
            case Quit():
                self._quit = True

    def _open_file(self, order: OpenRun) -> _Run:
        decoder = Decoder(order, self._full_limits, self._inbox)
        decoder.start()
        return _FileRun(order, decoder=decoder)

    def _open_live(self, order: OpenRun) -> _Run:
        feed = Feed(order.run, self._inbox.put)
        leave = self._sources.watch(order.path, feed)
        return _LiveRun(order, feed=feed, leave=leave, next=order.start)

    def _end_if_complete(self, name: str) -> None:
        """A live run that has all its frames lets go of the source."""
        run = self._runs.get(name)
        if isinstance(run, _LiveRun) and run.complete and not run.ended:
            run.ended = True
            run.close()
            self._orders.send(EndOfStream(name, run.next))

    def _run_again(self, order: Resend) -> None:
        lost = self._under_way.pop(order.batch, None)
        if lost is None or lost.run not in self._runs:
            return
        frames = [frame for frame in lost.frames if frame.index in order.frames]
        again = self._runs[lost.run].again
        if order.alone:
            again.extend([frame] for frame in frames)
        elif frames:
            again.append(frames)

    def _send_one(self) -> bool:
        """Send one batch of the run whose turn it is; False if there is nothing to send or no room."""
        if self._quit or self._room <= 0:
            return False
        now, limits = time.monotonic(), self._limits
        name = next((name for name, run in self._runs.items() if run.ripe(limits, now)), None)
        if name is None:
            return False
        run = self._runs.pop(name)
        self._runs[name] = run  # last in line now: one batch each, in turn
        frames = run.take(limits)
        batch, self._next_batch = self._next_batch, self._next_batch + 1
        self._under_way[batch] = _UnderWay(name, frames)
        self._orders.send(Sent(batch, name, tuple(frame.index for frame in frames)))
        message = _batch(batch, run.order, frames)
        while not self._outlet.send(message, timeout=0.05):
            # No worker takes anything at the moment; the order to quit must still be heard.
            self._handle_all(0)
            if not self._wanted(batch, name):
                self._under_way.pop(batch, None)
                return False
        self._end_if_complete(name)
        return True

    def _wanted(self, batch: int, run: str) -> bool:
        return not self._quit and batch in self._under_way and run in self._runs


def _batch(batch: int, order: OpenRun, frames: list[Decoded]) -> Batch:
    return Batch(
        batch,
        order.run,
        order.model,
        order.compare,
        order.options,
        order.image_width,
        frames=tuple(frame.index for frame in frames),
        decode_ms=tuple(frame.ms for frame in frames),
        decoded_at=tuple(frame.at for frame in frames),
        images=tuple(frame.image for frame in frames),
        sequence=tuple(frame.sequence or 0 for frame in frames) if order.live else None,
    )


def produce(orders: Orders, outlet: Outlet, limits: Limits, sources: Sources, first_batch: int) -> None:
    """Be the producer until told to quit; batches are numbered from `first_batch`."""
    Producer(orders, outlet, limits, sources, first_batch).loop()
