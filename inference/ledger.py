"""Who holds which items: what was sent, claimed, answered, and what a death means. Pure.

A batch is *sent* by the producer to no worker in particular, *claimed* by the worker that takes it,
and *answered* with results for all its items at once. These three are heard of over different
channels, so in any order. When a worker dies, the items it held are run again, and so are those
that nobody has claimed yet, since they may have been in its queue: a duplicate is dropped later,
a lost item would stop its run.

An item that was held by `ALONE_AFTER` dying workers is run alone from then on, and if so `GIVEN_UP_AFTER`
workers die the item is given up: only then is it sure which one kills. Unless workers die for other
reasons at the time, that is workers that had other items or none: then it may have been bad luck, and
the item is tried again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from inference.messages import Item, Resend

ALONE_AFTER = 3
"""An item that was there at so many deaths is run alone. A worker that hangs counts for all of them."""
GIVEN_UP_AFTER = 2
"""At so many deaths while it is run alone an item is given up: one may be bad luck."""
UNREST = 5.0
"""For so long (s) after a death that was not an item's fault, no item is blamed for another."""
BEYOND_LUCK = 15
"""At so many deaths it is the item, whatever else goes on."""
OVERTAKEN = 64
"""So many later batches claimed before it mean that a batch is lost; a worker's queue holds three or so."""
CLOSED_KEPT = 4096
"""Answered batches that are remembered, to know late news of them; far more than are ever under way."""


@dataclass
class _Batch:
    items: tuple[Item, ...] | None = None
    """None: only its claim was heard of so far."""
    worker: int | None = None
    orphaned: bool = False
    passed: int = 0
    sent_at: float = 0.0


@dataclass(frozen=True)
class _Death:
    at: float
    held: frozenset[Item]


@dataclass(frozen=True)
class Losses:
    """What a worker's death leaves to do: batches to run again, items to give up.

    `held` says whether the worker had claimed any of them, `runs` whose they are.
    """

    resend: tuple[Resend, ...]
    given_up: tuple[Item, ...]
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
        self._busy_until = float("-inf")
        """When a worker was last heard to have had a batch in its hands (s)."""
        self._deaths: dict[Item, int] = {}
        self._alone: dict[Item, int] = {}
        self._recent: deque[_Death] = deque()

    def sent(self, batch: int, items: tuple[Item, ...], now: float) -> Resend | None:
        """The producer has sent a batch at the time `now` (s); an order if who took it is dead by now."""
        self.next_batch = max(self.next_batch, batch + 1)
        if batch in self._closed:
            return None
        entry = self._batches.setdefault(batch, _Batch())
        entry.items, entry.sent_at = items, now
        if not entry.orphaned:
            return None
        self._close(batch)
        return Resend(batch, items, alone=False)

    def claimed(self, batch: int, worker: int, items: int, now: float) -> None:
        """A worker has taken a batch of so many items, and so is done with the one before."""
        self.next_batch = max(self.next_batch, batch + 1)
        self._busy[worker] = (batch, items, now)
        self._busy_until = now
        if self._closed.get(batch):
            # its answer was faster than the news of its claim
            del self._busy[worker]
        if batch in self._closed:
            return
        self._batches.setdefault(batch, _Batch()).worker = worker
        for other, entry in self._batches.items():
            if other < batch and entry.worker is None:
                entry.passed += 1

    def answered(self, batch: int, items: Sequence[Item], now: float) -> bool:
        """A batch has its items' results at the time `now` (s); False if it was closed before."""
        self._busy_until = now
        self._busy = {worker: busy for worker, busy in self._busy.items() if busy[0] != batch}
        for item in items:
            self._deaths.pop(item, None)
            self._alone.pop(item, None)
        if batch in self._closed:
            self._closed[batch] = True
            return False
        self._close(batch, answered=True)
        return True

    def died(self, worker: int, now: float, hung: bool = False) -> Losses:
        """A worker is dead, or `hung` and was ended: what has to be run again, and what to be given up."""
        self._busy.pop(worker, None)
        self._busy_until = now
        held = frozenset(
            item for entry in self._batches.values() if entry.worker == worker for item in entry.items or ()
        )
        self._remember(_Death(now, held))
        resend: list[Resend] = []
        given_up: list[Item] = []
        had_claimed, runs = False, set[str]()
        for batch, entry in list(self._batches.items()):
            if entry.worker not in (worker, None):
                continue
            had_claimed = had_claimed or entry.worker == worker
            if entry.items is None:
                entry.orphaned = entry.worker == worker
                continue
            self._close(batch)
            runs.update(run for run, _ in entry.items)
            if entry.worker is None:
                resend.append(Resend(batch, entry.items, alone=False))
            else:
                resend.append(self._run_again(batch, entry.items, hung, given_up))
        return Losses(tuple(resend), tuple(given_up), had_claimed, frozenset(runs))

    def _run_again(self, batch: int, items: tuple[Item, ...], hung: bool, given_up: list[Item]) -> Resend:
        """Blame each item for the death; add the one that is sure to be at fault to `given_up`."""
        again = []
        for item in items:
            before = self._deaths.get(item, 0)
            self._deaths[item] = max(before + 1, ALONE_AFTER) if hung else before + 1
            if len(items) == 1 and before >= ALONE_AFTER:
                self._alone[item] = self._alone.get(item, 0) + 1
            if self._is_to_be_given_up(item):
                given_up.append(item)
            else:
                again.append(item)
        worst = max((self._deaths[item] for item in again), default=0)
        return Resend(batch, tuple(again), alone=worst >= ALONE_AFTER)

    def _remember(self, death: _Death) -> None:
        self._recent.append(death)
        while self._recent[0].at < death.at - UNREST:
            self._recent.popleft()

    def _is_to_be_given_up(self, item: Item) -> bool:
        """Whether it died alone often enough, and all workers that died of late had it or another suspect."""
        if self._alone.get(item, 0) < GIVEN_UP_AFTER:
            return False
        suspects = {other for other, count in self._deaths.items() if count >= ALONE_AFTER}
        calm = all(death.held & suspects for death in self._recent)
        return calm or self._deaths[item] >= BEYOND_LUCK

    def overdue(self, now: float, limit: float) -> list[int]:
        """Workers that have held a batch for longer than `limit` s for each of its items."""
        return [worker for worker, (_, items, since) in self._busy.items() if now - since > limit * items]

    def lost(self, before: float) -> tuple[Resend, ...]:
        """Batches that are in no worker's queue, though nobody claimed them.

        A worker takes its queue in order, so whatever many later batches have overtaken is lost; and
        a worker that idles takes its queue at once, so if all have idled since `before` (s), so is what was
        sent by then. One that works on a batch that is closed, as a dead producer's are, does not idle.
        """
        idle = not self._busy and self._busy_until < before
        resend = []
        for batch, entry in list(self._batches.items()):
            if entry.items is None or entry.worker is not None:
                continue
            if entry.passed >= OVERTAKEN or (idle and entry.sent_at < before):
                self._close(batch)
                resend.append(Resend(batch, entry.items, alone=False))
        return tuple(resend)

    def abandon(self) -> None:
        """The producer is dead, and with it all inputs that it kept: a new one makes them again.

        Workers may still answer what they have; numbers below `next_batch` are used up.
        """
        for batch in list(self._batches):
            self._close(batch)

    def excuse(self, seconds: float) -> None:
        """Nobody was watched for so long, as when the whole machine was asleep: nobody is blamed for that."""
        self._busy = {
            worker: (batch, items, since + seconds) for worker, (batch, items, since) in self._busy.items()
        }

    def forget(self, run: str) -> None:
        """A run is over: its items' deaths count no longer; workers may still answer its batches."""
        for entry in self._batches.values():
            if entry.items is not None:
                entry.items = tuple(item for item in entry.items if item[0] != run)
        for counts in (self._deaths, self._alone):
            for key in [key for key in counts if key[0] == run]:
                del counts[key]

    def _close(self, batch: int, answered: bool = False) -> None:
        self._batches.pop(batch, None)
        self._closed[batch] = answered
        if len(self._closed) > CLOSED_KEPT:
            del self._closed[next(iter(self._closed))]
