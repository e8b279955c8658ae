"""Ledger and ordering together, against a model of all that happens between them.

A producer with a window sends batches and dies; workers, slow or fast, claim, answer, answer twice, stop
and die; batches and answers are lost on the way; the news of all that comes over different channels, in any
order. In the end every frame was delivered once, in order and in good time: its result, or a failure if it is
one that kills every worker.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inference.ledger import ALONE_AFTER, Ledger
from inference.ordering import Ordering

WORKERS, CAPACITY, WINDOW = 3, 6, 12
LIMIT = 5.0
"""Seconds for a frame, after which a worker that has stopped is ended."""
LOST_AFTER = 1.0
"""Seconds that all workers idle after which what nobody has claimed is sent again."""
SOON = 300.0
"""Seconds in which all frames come once nothing bad happens any more: three times what the worst need."""
SEED = st.integers(0, 2**16)
"""Chooses among what there is at that moment."""


def of(frames):
    """Items of the one run."""
    return tuple(("r", frame) for frame in frames)


class Traffic(RuleBasedStateMachine):
    """What is said and heard; each rule is one thing that may happen next."""

    @initialize(
        count=st.integers(0, 14),
        size=st.integers(1, 4),
        killers=st.frozensets(st.integers(0, 13), max_size=2),
        takes=st.sampled_from([0.0, 0.4, 1.6, 4.0]),
    )
    def begin(self, count, size, killers, takes):
        """`takes`: seconds that a worker needs for a batch, less or more than until one counts as lost."""
        self.count, self.size, self.killers, self.takes = count, size, killers, takes
        self.ledger, self.ordering = Ledger(), Ordering(0)
        self.ordering.finish(count)
        self.delivered, self.deaths, self.now = [], Counter(), 0.0
        # the producer: what it sends next, what has to be sent again, what it keeps until it is answered
        self.next_frame, self.again, self.under_way, self.number = 0, [], {}, 0
        self.frames = {}
        # the workers: what waits for each, what it holds, since when
        self.queues, self.hands, self.since, self.born = {}, {}, {}, 0
        self.stopped, self.hung = {}, set()
        self.calm = False
        # the channels: each pipe in its own order, answers in any
        self.sent_news, self.pipes, self.answers = [], {}, []
        for _ in range(WORKERS):
            self.hire()

    # What the processes do ------------------------------------------------------------------------

    def hire(self):
        self.born += 1
        self.queues[self.born], self.hands[self.born], self.pipes[self.born] = [], None, []

    def fresh(self):
        """The next frames that were not sent yet, as far as the window reaches."""
        stop = min(self.next_frame + self.size, self.count, len(self.delivered) + WINDOW)
        return list(range(self.next_frame, stop))

    @precondition(lambda self: len(self.under_way) < CAPACITY and (self.again or self.fresh()))
    @rule(seed=SEED, arrives=st.integers(0, 9))
    def send(self, seed, arrives):
        frames = self.again.pop(0) if self.again else self.fresh()
        self.next_frame = max(self.next_frame, frames[-1] + 1)
        self.number += 1
        self.under_way[self.number] = self.frames[self.number] = frames
        self.sent_news.append(self.number)
        if arrives:
            self.queues[chosen(sorted(self.queues), seed)].append(self.number)

    def free(self):
        return [
            worker
            for worker, queue in self.queues.items()
            if queue and self.hands[worker] is None and worker not in self.stopped
        ]

    @precondition(lambda self: self.free())
    @rule(seed=SEED)
    def take(self, seed):
        worker = chosen(self.free(), seed)
        self.hands[worker], self.since[worker] = self.queues[worker].pop(0), self.now
        self.pipes[worker].append(self.hands[worker])

    def done(self):
        return [
            worker
            for worker, batch in self.hands.items()
            if batch is not None
            and worker not in self.stopped
            and self.now - self.since[worker] >= self.takes
        ]

    @precondition(lambda self: self.done())
    @rule(seed=SEED, times=st.sampled_from([1, 1, 1, 2]))
    def work(self, seed, times):
        worker = chosen(self.done(), seed)
        batch = self.hands[worker]
        if self.killers.intersection(self.frames[batch]):
            self.die(worker, seed)
        else:
            self.answers += [(worker, batch)] * times
            self.hands[worker] = None

    def lucky(self):
        """The workers but for those with a suspect alone in their hands, whose next death is its proof."""
        return [worker for worker, batch in self.hands.items() if not self.is_on_trial(batch)]

    def is_on_trial(self, batch):
        frames = self.frames.get(batch, [])
        return len(frames) == 1 and self.deaths[frames[0]] > ALONE_AFTER

    @rule()
    def producer_dies(self):
        """What it has said is heard; all that it kept is lost, and a new one begins at the next frame."""
        while self.sent_news:
            self.hear_producer()
        self.ledger.abandon()
        self.under_way, self.again = {}, []
        self.next_frame, self.number = self.ordering.next, self.ledger.next_batch - 1

    @precondition(lambda self: self.lucky())
    @rule(seed=SEED)
    def stop(self, seed):
        """SIGSTOP: it does nothing any more."""
        self.stopped[chosen(self.lucky(), seed)] = self.now

    @precondition(lambda self: self.lucky())
    @rule(seed=SEED, lost=SEED, idle=st.booleans())
    def kill(self, seed, lost, idle):
        """SIGKILL, whatever it does."""
        busy = [worker for worker in self.lucky() if self.hands[worker] is not None]
        self.die(chosen(self.lucky() if idle or not busy else busy, seed), lost)

    def die(self, worker, lost):
        """A worker is gone, with what waited for it, and those of its answers that `lost` has a bit for."""
        self.deaths.update(self.frames.get(self.hands[worker], []))
        del self.queues[worker], self.hands[worker]
        self.answers = [
            answer
            for place, answer in enumerate(self.answers)
            if answer[0] != worker or not lost >> place & 1
        ]
        self.pipes[worker].append(None)
        self.hire()

    # What the pipeline hears of it -----------------------------------------------------------------

    @precondition(lambda self: self.sent_news)
    @rule()
    def hear_producer(self):
        batch = self.sent_news.pop(0)
        order = self.ledger.sent(batch, of(self.frames[batch]), self.now)
        self.run_again([order] if order else [])

    def speaking(self):
        return [worker for worker, pipe in self.pipes.items() if pipe]

    @precondition(lambda self: self.speaking())
    @rule(seed=SEED)
    def hear_worker(self, seed):
        worker = chosen(self.speaking(), seed)
        batch = self.pipes[worker].pop(0)
        if batch is not None:
            self.ledger.claimed(batch, worker, len(self.frames[batch]), self.now)
            return
        del self.pipes[worker]
        losses = self.ledger.died(worker, self.now, worker in self.hung)
        self.run_again(losses.resend)
        for _, frame in losses.given_up:
            self.deliver(frame, "failure")

    @precondition(lambda self: self.answers)
    @rule(seed=SEED)
    def hear_answer(self, seed):
        answer = chosen(self.answers, seed)
        self.answers.remove(answer)
        _, batch = answer
        if self.ledger.answered(batch, of(self.frames[batch]), self.now):
            self.under_way.pop(batch, None)
        for frame in self.frames[batch]:
            self.deliver(frame, "result")

    @rule(passed=st.floats(0, 3))
    def look(self, passed):
        self.now += passed
        for worker in self.stopped.keys() & self.hands.keys():
            self.find_stopped(worker)
        lost = self.ledger.lost(self.now - LOST_AFTER)
        if self.calm:
            assert self.waiting().isdisjoint(order.batch for order in lost)
        self.run_again(lost)

    def waiting(self):
        """Batches that a worker will come to, if nothing happens to it."""
        living = self.queues.keys() - self.stopped.keys()
        return {batch for worker in living for batch in self.queues[worker]}

    def find_stopped(self, worker):
        """By its overdue batch, or else since it answers no ping."""
        batch = self.hands[worker]
        if batch is not None and worker in self.ledger.overdue(self.now, LIMIT):
            self.hung.add(worker)
            for frame in self.frames[batch]:
                self.deaths[frame] += ALONE_AFTER
            self.die(worker, lost=0)
        elif self.now - self.stopped[worker] > 8 * LIMIT:
            self.die(worker, lost=0)

    def run_again(self, orders):
        for order in orders:
            kept = self.under_way.pop(order.batch, [])
            frames = [frame for frame in kept if ("r", frame) in order.items]
            self.again += [[frame] for frame in frames] if order.alone else [frames] if frames else []

    def deliver(self, frame, outcome):
        self.delivered += self.ordering.push(frame, (frame, outcome))

    # What has to hold --------------------------------------------------------------------------------

    @invariant()
    def once_and_in_order(self):
        assert [frame for frame, _ in self.delivered] == list(range(len(self.delivered)))

    @invariant()
    def only_what_kills_has_failed(self):
        failed = {frame for frame, outcome in self.delivered if outcome == "failure"}
        assert failed <= self.killers

    @invariant()
    def nobody_is_overdue_with_empty_hands(self):
        heard = not self.answers and not self.speaking()
        idle = {worker for worker, batch in self.hands.items() if batch is None}
        assert not heard or not idle.intersection(self.ledger.overdue(float("inf"), LIMIT))

    @invariant()
    def memory_is_bounded(self):
        assert len(self.under_way) <= CAPACITY
        assert self.next_frame <= len(self.delivered) + WINDOW
        assert all(frame > self.ordering.next for frame in self.ordering._early)

    def teardown(self):
        if hasattr(self, "ledger"):
            self.come_to_an_end()

    def hear_all(self):
        while self.sent_news or self.speaking() or self.answers:
            for possible, hear in (
                (self.sent_news, self.hear_producer),
                (self.speaking(), lambda: self.hear_worker(seed=0)),
                (self.answers, lambda: self.hear_answer(seed=0)),
            ):
                if possible:
                    hear()

    def come_to_an_end(self):
        """From here on news is heard at once and nothing bad happens by chance: all frames come soon,
        and nothing is sent twice that is not lost.
        """
        self.calm, began = True, self.now
        while len(self.delivered) < self.count and self.now - began < SOON:
            while len(self.under_way) < CAPACITY and (self.again or self.fresh()):
                self.send(seed=self.number, arrives=1)
            while self.free():
                self.take(seed=0)
            while self.done():
                self.work(seed=0, times=1)
            self.hear_all()
            self.look(passed=0.25)
        assert len(self.delivered) == self.count
        self.once_and_in_order()
        assert {frame for frame, outcome in self.delivered if outcome == "failure"} == self.killers & set(
            range(self.count)
        )
        assert self.ordering.complete


def chosen(items, seed):
    return items[seed % len(items)]


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
