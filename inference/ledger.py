"""Who holds which frames: what was sent, claimed, answered, and what a death means. Pure.

A batch is *sent* by the producer to no worker in particular, *claimed* by the worker that takes it,
and *answered* with results for all its frames at once. These three are heard of over different
channels, so in any order. When a worker dies, the frames it held are run again, and so are those
that nobody has claimed yet, since they may have been in its queue: a duplicate is dropped later,
a lost frame would stop its run.

A frame that was held by `ALONE_AFTER` dying workers is run alone from then on, and if so `GIVEN_UP_AFTER`
workers die the frame is given up: only then is it sure which frame kills. Unless workers die for other
reasons at the time, that is workers that had other frames or none: then it may have been bad luck, and
the frame is tried again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from inference.messages import Resend

ALONE_AFTER = 3
"""A frame that was there at so many deaths is run alone. A worker that hangs counts for all of them."""
GIVEN_UP_AFTER = 2
"""At so many deaths while it is run alone a frame is given up: one may be bad luck."""
UNREST = 5.0
"""For so long (s) after a death that was not a frame's fault, no frame is blamed for another."""
BEYOND_LUCK = 15
"""At so many deaths it is the frame, whatever else goes on."""
OVERTAKEN = 64
"""So many later batches claimed before it mean that a batch is lost; a worker's queue holds three or so."""
CLOSED_KEPT = 4096
"""Answered batches that are remembered, to know late news of them; far more than are ever under way."""

_Frame = tuple[str, int]
"""A frame: its run and its index."""


@dataclass
class _Batch:
    run: str | None = None
    frames: tuple[int, ...] = ()
    worker: int | None = None
    orphaned: bool = False
    unwanted: bool = False
    passed: int = 0
    sent_at: float = 0.0


@dataclass(frozen=True)
class _Death:
    at: float
    held: frozenset[_Frame]


@dataclass(frozen=True)
class Losses:
    """What a worker's death leaves to do: batches to run again, frames (run, index) to give up.

    `held` says whether the worker had claimed any of them, `runs` whose they are.
    """

    resend: tuple[Resend, ...]
    given_up: tuple[tuple[str, int], ...]
    held: bool
    runs: frozenset[str]


class Ledger:
    """The books of all batches between the producer and the collector."""

    def __init__(self) -> None:
        self.next_batch = 1
        """Above the number of every batch that was heard of."""
        self._batches: dict[int, _Batch] = {}
        self._closed: dict[int, bool] = {}
        self._busy: dict[int, tuple[int, int, float]] = {}
        self._deaths: dict[_Frame, int] = {}
        self._alone: dict[_Frame, int] = {}
        self._recent: deque[_Death] = deque()

    def sent(self, batch: int, run: str, frames: tuple[int, ...], now: float) -> Resend | None:
        """The producer has sent a batch at the time `now` (s); an order if who took it is dead by now."""
        self.next_batch = max(self.next_batch, batch + 1)
        if batch in self._closed:
            return None
        entry = self._batches.setdefault(batch, _Batch())
        entry.run, entry.frames, entry.sent_at = run, frames, now
        if not entry.orphaned:
            return None
        self._close(batch)
        return Resend(batch, entry.frames, alone=False)

    def claimed(self, batch: int, worker: int, frames: int, now: float) -> None:
        """A worker has taken a batch of so many frames, and so is done with the one before."""
        self.next_batch = max(self.next_batch, batch + 1)
        self._busy[worker] = (batch, frames, now)
        if self._closed.get(batch):
            # its answer was faster than the news of its claim
            del self._busy[worker]
        if batch in self._closed:
            return
        self._batches.setdefault(batch, _Batch()).worker = worker
        for other, entry in self._batches.items():
            if other < batch and entry.worker is None:
                entry.passed += 1

    def answered(self, batch: int, run: str, frames: Sequence[int]) -> bool:
        """A batch has its frames' results; False if it was closed before."""
        self._busy = {worker: busy for worker, busy in self._busy.items() if busy[0] != batch}
        for frame in frames:
            self._deaths.pop((run, frame), None)
            self._alone.pop((run, frame), None)
        if batch in self._closed:
            self._closed[batch] = True
            return False
        self._close(batch, answered=True)
        return True

    def died(self, worker: int, now: float, hung: bool = False) -> Losses:
        """A worker is dead, or `hung` and was ended: what has to be run again, and what to be given up."""
        self._busy.pop(worker, None)
        held = frozenset(
            (entry.run, frame)
            for entry in self._batches.values()
            if entry.worker == worker and entry.run is not None
            for frame in entry.frames
        )
        self._remember(_Death(now, held))
        resend: list[Resend] = []
        given_up: list[_Frame] = []
        had_claimed, runs = False, set()
        for batch, entry in list(self._batches.items()):
            if entry.worker not in (worker, None):
                continue
            had_claimed = had_claimed or entry.worker == worker
            if entry.run is None or not entry.frames:
                entry.orphaned = entry.worker == worker
                continue
            self._close(batch)
            runs.add(entry.run)
            if entry.worker is None or entry.unwanted:
                resend.append(Resend(batch, entry.frames, alone=False))
            else:
                resend.append(self._run_again(batch, entry.run, entry.frames, hung, given_up))
        return Losses(tuple(resend), tuple(given_up), had_claimed, frozenset(runs))

    def _run_again(
        self, batch: int, run: str, frames: tuple[int, ...], hung: bool, given_up: list[_Frame]
    ) -> Resend:
        """Blame each frame for the death; add the one that is sure to be at fault to `given_up`."""
        again = []
        for frame in frames:
            before = self._deaths.get((run, frame), 0)
            self._deaths[run, frame] = max(before + 1, ALONE_AFTER) if hung else before + 1
            if len(frames) == 1 and before >= ALONE_AFTER:
                self._alone[run, frame] = self._alone.get((run, frame), 0) + 1
            if self._is_to_be_given_up((run, frame)):
                given_up.append((run, frame))
            else:
                again.append(frame)
        worst = max((self._deaths[run, frame] for frame in again), default=0)
        return Resend(batch, tuple(again), alone=worst >= ALONE_AFTER)

    def _remember(self, death: _Death) -> None:
        self._recent.append(death)
        while self._recent[0].at < death.at - UNREST:
            self._recent.popleft()

    def _is_to_be_given_up(self, frame: _Frame) -> bool:
        """Whether it died alone often enough, and all workers that died of late had it or another suspect."""
        if self._alone.get(frame, 0) < GIVEN_UP_AFTER:
            return False
        suspects = {other for other, count in self._deaths.items() if count >= ALONE_AFTER}
        calm = all(death.held & suspects for death in self._recent)
        return calm or self._deaths[frame] >= BEYOND_LUCK

    def overdue(self, now: float, limit: float) -> list[int]:
        """Workers that have held a batch for longer than `limit` s for each of its frames."""
        return [worker for worker, (_, frames, since) in self._busy.items() if now - since > limit * frames]

    def lost(self, before: float) -> tuple[Resend, ...]:
        """Batches that are in no worker's queue, though nobody claimed them.

        A worker takes its queue in order, so whatever many later batches have overtaken is lost; and
        a worker that idles takes its queue at once, so if all idle, so is what was sent before `before`.
        """
        idle = all(entry.worker is None for entry in self._batches.values())
        resend = []
        for batch, entry in list(self._batches.items()):
            if entry.run is None or entry.worker is not None:
                continue
            if entry.passed >= OVERTAKEN or (idle and entry.sent_at < before):
                self._close(batch)
                resend.append(Resend(batch, entry.frames, alone=False))
        return tuple(resend)

    def abandon(self) -> None:
        """The producer is dead, and with it all frames that it kept: a new one decodes them again.

        Workers may still answer what they have; numbers below `next_batch` are used up.
        """
        for batch in list(self._batches):
            self._close(batch)

    def excuse(self, seconds: float) -> None:
        """Nobody was watched for so long, as when the whole machine was asleep: nobody is blamed for that."""
        self._busy = {
            worker: (batch, frames, since + seconds) for worker, (batch, frames, since) in self._busy.items()
        }

    def forget(self, run: str) -> None:
        """A run is over: its frames' deaths count no longer; workers may still answer its batches."""
        for entry in self._batches.values():
            entry.unwanted = entry.unwanted or entry.run == run
        for counts in (self._deaths, self._alone):
            for key in [key for key in counts if key[0] == run]:
                del counts[key]

    def _close(self, batch: int, answered: bool = False) -> None:
        self._batches.pop(batch, None)
        self._closed[batch] = answered
        if len(self._closed) > CLOSED_KEPT:
            del self._closed[next(iter(self._closed))]
