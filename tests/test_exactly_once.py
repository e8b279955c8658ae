"""Ledger and ordering together, against a model of all that happens between them.

A producer with a window sends batches and dies; workers claim, answer, answer twice, stop and die; batches
and answers are lost on the way; the news of all that comes over different channels, in any order. In the end
every frame was delivered once, in order: its result, or a failure if it is one that kills every worker.
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
    )
    def begin(self, count, size, killers):
        self.count, self.size, self.killers = count, size, killers
        self.ledger, self.ordering = Ledger(), Ordering(0)
        self.ordering.finish(count)
        self.delivered, self.deaths, self.now = [], Counter(), 0.0
        # the producer: what it sends next, what has to be sent again, what it keeps until it is answered
        self.next_frame, self.again, self.under_way, self.number = 0, [], {}, 0
        self.frames = {}
        # the workers: what waits for each, what it holds
        self.queues, self.hands, self.born = {}, {}, 0
        self.stopped, self.hung = {}, set()
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
        self.hands[worker] = self.queues[worker].pop(0)
        self.pipes[worker].append(self.hands[worker])

    def busy(self):
        return [
            worker for worker, batch in self.hands.items() if batch is not None and worker not in self.stopped
        ]

    @precondition(lambda self: self.busy())
    @rule(seed=SEED, times=st.sampled_from([1, 1, 1, 2]))
    def work(self, seed, times):
        worker = chosen(self.busy(), seed)
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
        if self.ledger.answered(batch, of(self.frames[batch])):
            self.under_way.pop(batch, None)
        for frame in self.frames[batch]:
            self.deliver(frame, "result")

    @rule(passed=st.floats(0, 3))
    def look(self, passed):
        self.now += passed
        for worker in self.stopped.keys() & self.hands.keys():
            self.find_stopped(worker)
        self.run_again(self.ledger.lost(self.now - 1))

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

    def come_to_an_end(self):
        """From here on news is heard at once and nothing bad happens by chance: all frames come soon."""
        for step in range(1000):
            while self.sent_news or self.speaking() or self.answers:
                for possible, hear in (
                    (self.sent_news, self.hear_producer),
                    (self.speaking(), lambda step=step: self.hear_worker(seed=step)),
                    (self.answers, lambda step=step: self.hear_answer(seed=step)),
                ):
                    if possible:
                        hear()
            if len(self.delivered) == self.count:
                break
            if len(self.under_way) < CAPACITY and (self.again or self.fresh()):
                self.send(seed=step, arrives=1)
            if self.free():
                self.take(seed=step)
            if self.busy():
                self.work(seed=step, times=1)
            self.look(passed=0.1)
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
