"""What the producer has of each run: its next inputs, and when they may go to a worker. One class for each
kind of run.

None of them sends anything, and none knows another run: `producer.py` asks each, in turn, whether it is
ripe and then takes a batch's inputs of it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from inference.decoding import Decoder
from inference.live import Feed
from inference.messages import FrameInput, Input, OpenText, OpenVideo, PoseOptions, Prompt, TextState
from inference.pieces import WINDOW, count_of, pieces_of


@dataclass(frozen=True)
class Limits:
    """How much may be under way: frames in a batch, s to wait for it to fill, frames and bytes of a run.

    Of the batches that may be at the workers, every worker has `batches_per_worker`. A batch of texts has
    at most `texts` of them, and a run of text `pieces` pieces.
    """

    batch_size: int
    batch_wait: float
    window: int
    window_bytes: int
    batches_per_worker: int = 1
    texts: int = 16
    pieces: int = WINDOW

    def slots(self, frame_bytes: int) -> int:
        """Frames of that size that one run may have between decoder and viewer."""
        return min(self.window, max(2 * self.batch_size, self.window_bytes // max(1, frame_bytes)))


@dataclass
class Supply:
    """A run, and what it has to be run again: that goes first, since the viewer waits for it."""

    run: str
    model: str
    compare: str | None = field(default=None, kw_only=True)
    options: PoseOptions | None = field(default=None, kw_only=True)
    begun: bool = field(default=False, kw_only=True)
    ended: bool = field(default=False, kw_only=True)
    again: deque[list[Input]] = field(default_factory=deque, kw_only=True)

    def ripe(self, limits: Limits, now: float) -> bool:
        """Whether a batch can be made."""
        return self.begun and bool(self.again)

    def take(self, limits: Limits) -> list[Input]:
        """The next batch's inputs."""
        return self.again.popleft()

    def waits_since(self) -> float | None:
        """When the first input was there that waits for its batch to fill (monotonic s), if one does."""
        return None

    def credit(self, items: int) -> None:
        """The viewer took so many items."""

    def close(self) -> None:
        """End whatever gives it inputs."""


@dataclass
class FileSupply(Supply):
    """A video file's run: frames as they are decoded, a full batch at a time."""

    decoder: Decoder = field(kw_only=True)
    fresh: deque[FrameInput] = field(default_factory=deque, kw_only=True)
    size: int = field(default=1, kw_only=True)
    """Frames in the next batch: in the run's first only one, since somebody waits for it."""

    def ripe(self, limits: Limits, now: float) -> bool:
        """Whether a batch can be made: full, or as full as it gets, or waiting long enough."""
        if not self.begun:
            return False
        if self.again or len(self.fresh) >= min(self.size, limits.batch_size):
            return True
        return bool(self.fresh) and (self.ended or now - self.fresh[0].since >= limits.batch_wait)

    def take(self, limits: Limits) -> list[Input]:
        """What is run again, else what is new."""
        if self.again:
            return super().take(limits)
        size, self.size = min(self.size, limits.batch_size, len(self.fresh)), limits.batch_size
        return [self.fresh.popleft() for _ in range(size)]

    def waits_since(self) -> float | None:
        """When the oldest frame was there."""
        return self.fresh[0].since if self.begun and self.fresh else None

    def credit(self, items: int) -> None:
        """Decode so many frames more."""
        for _ in range(items):
            self.decoder.slots.release()

    def close(self) -> None:
        """Decode no more."""
        self.decoder.close()


@dataclass
class LiveSupply(Supply):
    """A live source's run: its frames are numbered as they are taken, and taken one at a time, the newest."""

    order: OpenVideo = field(kw_only=True)
    feed: Feed = field(kw_only=True)
    leave: Callable[[], None] = field(kw_only=True)
    next: int = field(kw_only=True)

    def ripe(self, limits: Limits, now: float) -> bool:
        """Whether there is a frame."""
        complete = self.order.stop is not None and self.next >= self.order.stop
        return self.begun and (bool(self.again) or (self.feed.fresh and not complete))

    def take(self, limits: Limits) -> list[Input]:
        """What is run again, else what is new."""
        if self.again:
            return super().take(limits)
        frame, order = self.feed.take(), self.order
        self.next += 1
        sequence = order.sequence + frame.sequence
        one = FrameInput(
            self.run, self.next - 1, frame.image, order.image_width, frame.ms, frame.at, sequence
        )
        return [one]

    def close(self) -> None:
        """Let go of the source."""
        self.leave()


@dataclass
class TextSupply(Supply):
    """A text: one prompt at a time, each made of the state that the piece before has left."""

    order: OpenText = field(kw_only=True)
    slots: int = field(kw_only=True)
    next: int = field(kw_only=True)
    state: TextState | None = field(kw_only=True)
    writing: bool = field(default=False, kw_only=True)
    """Whether a piece is under way."""
    since: float = field(default_factory=time.monotonic, kw_only=True)

    @staticmethod
    def of(order: OpenText, limits: Limits) -> TextSupply:
        """Begin where the order says: with its state, or else with the seed, even if later pieces are
        wanted.
        """
        first = 0 if order.state is None else order.start
        slots = limits.pieces - order.taken
        return TextSupply(order.run, order.model, order=order, slots=slots, next=first, state=order.state)

    @property
    def shares(self) -> bool:
        """Whether its next piece is to share a batch, which only what is not `exact` gains by.

        Not the first one, which takes as long as its seed; nor what is run again, which may be what kills
        workers.
        """
        return self.state is not None and not self.again and not self.order.options.exact

    def ripe(self, limits: Limits, now: float) -> bool:
        """Whether the next piece can be written."""
        more = self.next < pieces_of(self.order.length)
        return self.begun and (bool(self.again) or (not self.writing and self.slots > 0 and more))

    def take(self, limits: Limits) -> list[Input]:
        """What is run again, else what is new."""
        if self.again:
            return super().take(limits)
        order, self.writing = self.order, True
        # nobody gives back what comes before the wanted pieces
        self.slots -= self.next >= order.start
        count, seed = count_of(self.next, order.length), "" if self.state else order.seed
        return [Prompt(self.run, self.next, seed, self.state, count, order.options, self.since)]

    def go_on(self, state: TextState) -> None:
        """The piece under way is written."""
        self.next, self.state, self.writing, self.since = self.next + 1, state, False, time.monotonic()

    def credit(self, items: int) -> None:
        """Write so many pieces more."""
        self.slots += items
