"""Who holds which frames: what was sent, claimed, answered, and what a death means. Pure.

A batch is *sent* by the producer to no worker in particular, *claimed* by the worker that takes it,
and *answered* with results for all its frames at once. These three are heard of over different
channels, so in any order. When a worker dies, the frames it held are run again, and so are those
that nobody has claimed yet, since they may have been in its queue: a duplicate is dropped later,
a lost frame would stop its run.

A frame that was held by `ALONE_AFTER` dying workers is run alone from then on, and if that worker
dies too the frame is given up: only then is it sure which frame kills.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.messages import Resend

ALONE_AFTER = 3
OVERTAKEN = 64
"""So many later batches claimed before it mean that a batch is lost; a worker's queue holds three or so."""
CLOSED_KEPT = 4096
"""Answered batches that are remembered, to know late news of them; far more than are ever under way."""


@dataclass
class _Batch:
    run: str | None = None
    frames: tuple[int, ...] = ()
    worker: int | None = None
    orphaned: bool = False
    passed: int = 0
    sent_at: float = 0.0


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
        self._batches: dict[int, _Batch] = {}
        self._closed: dict[int, None] = {}
        self._deaths: dict[tuple[str, int], int] = {}

    def sent(self, batch: int, run: str, frames: tuple[int, ...], now: float) -> Resend | None:
        """The producer has sent a batch at the time `now` (s); an order if who took it is dead by now."""
        if batch in self._closed:
            return None
        entry = self._batches.setdefault(batch, _Batch())
        entry.run, entry.frames, entry.sent_at = run, frames, now
        if not entry.orphaned:
            return None
        self._close(batch)
        return Resend(batch, entry.frames, alone=False)

    def claimed(self, batch: int, worker: int) -> None:
        """A worker has taken a batch."""
        if batch in self._closed:
            return
        self._batches.setdefault(batch, _Batch()).worker = worker
        for other, entry in self._batches.items():
            if other < batch and entry.worker is None:
                entry.passed += 1

    def answered(self, batch: int, run: str, frames: Sequence[int]) -> bool:
        """A batch has its frames' results; False if it was closed before."""
        for frame in frames:
            self._deaths.pop((run, frame), None)
        if batch in self._closed:
            return False
        self._close(batch)
        return True

    def died(self, worker: int) -> Losses:
        """A worker is dead: what has to be run again, and what has to be given up."""
        resend: list[Resend] = []
        given_up: list[tuple[str, int]] = []
        held, runs = False, set()
        for batch, entry in list(self._batches.items()):
            if entry.worker not in (worker, None):
                continue
            held = held or entry.worker == worker
            if entry.run is None or not entry.frames:
                entry.orphaned = entry.worker == worker
                continue
            self._close(batch)
            runs.add(entry.run)
            if entry.worker is None:
                resend.append(Resend(batch, entry.frames, alone=False))
            else:
                resend.append(self._run_again(batch, entry.run, entry, given_up))
        return Losses(tuple(resend), tuple(given_up), held, frozenset(runs))

    def _run_again(
        self,
        batch: int,
        run: str,
        entry: _Batch,
        given_up: list[tuple[str, int]],
    ) -> Resend:
        """Blame each frame for the death; add the one that is sure to be at fault to `given_up`."""
        again = []
        for frame in entry.frames:
            self._deaths[run, frame] = self._deaths.get((run, frame), 0) + 1
            if self._deaths[run, frame] > ALONE_AFTER and len(entry.frames) == 1:
                given_up.append((run, frame))
                del self._deaths[run, frame]
            else:
                again.append(frame)
        worst = max((self._deaths[run, frame] for frame in again), default=0)
        return Resend(batch, tuple(again), alone=worst >= ALONE_AFTER)

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

    def forget(self, run: str) -> None:
        """A run is over: its frames' deaths count no longer; workers may still answer its batches."""
        for key in [key for key in self._deaths if key[0] == run]:
            del self._deaths[key]

    def _close(self, batch: int) -> None:
        self._batches.pop(batch, None)
        self._closed[batch] = None
        if len(self._closed) > CLOSED_KEPT:
            del self._closed[next(iter(self._closed))]
