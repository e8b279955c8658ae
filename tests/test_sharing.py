"""Texts that can go on at the same time share a batch, and none is dealt twice."""

from __future__ import annotations

import queue
import threading

import numpy as np
import pytest

from inference.live import Sources
from inference.messages import (
    BeginRun,
    Capacity,
    CloseRun,
    Credit,
    Finished,
    OpenText,
    Quit,
    Resend,
    TextOptions,
    TextState,
)
from inference.pieces import count_of
from inference.producer import produce
from inference.supply import Limits

LIMITS = Limits(
    batch_size=4, batch_wait=0.02, window=8, window_bytes=1 << 20, batches_per_worker=2, texts=3, pieces=8
)


class Desk:
    """Both ends of a producer that runs in a thread: orders go in, batches come out."""

    def __init__(self):
        self.orders, self.batches = queue.SimpleQueue(), queue.SimpleQueue()

    def send(self, message, timeout=None):
        """News (without a timeout) are not looked at; batches are kept."""
        if timeout is not None:
            self.batches.put(message)
        return True

    def receive(self):
        return self.orders.get()

    def tell(self, *orders):
        for order in orders:
            self.orders.put(order)

    def dealt(self):
        """The next batch: its number and its prompts by run."""
        batch = self.batches.get(timeout=20)
        return batch.batch, {prompt.run: prompt for prompt in batch.inputs}

    def nothing(self):
        """Whether nothing is dealt, though the producer has acted on all orders."""
        with pytest.raises(queue.Empty):
            self.batches.get(timeout=0.3)
        return True


@pytest.fixture
def desk():
    desk = Desk()
    thread = threading.Thread(target=produce, args=(desk, desk, LIMITS, Sources(()), 1), daemon=True)
    thread.start()
    yield desk
    desk.tell(Quit())
    thread.join(10)
    assert not thread.is_alive()


def opened(run, model="m", length=100, start=0, exact=False, **more):
    options = TextOptions(exact=exact)
    return OpenText(run, model, "seed", length, start, options, **more), BeginRun(run)


def state(index, mark=0.0):
    return TextState(np.full(2, mark, np.float32), 1, index)


def test_texts_share_a_batch_and_each_goes_on_from_its_own_state(desk):
    for mark, run in enumerate("abc"):
        desk.tell(*opened(run, start=1, state=state(1, mark)))
    desk.tell(Capacity(2))
    first, prompts = desk.dealt()
    assert {run: one.state.memory[0] for run, one in prompts.items()} == {"a": 0, "b": 1, "c": 2}
    assert desk.nothing()
    desk.tell(Finished(first, (("a", state(2, 5)), ("b", state(2, 6)), ("c", state(2, 7)))))
    _, prompts = desk.dealt()
    assert {run: (one.index, one.state.memory[0]) for run, one in prompts.items()} == {
        "a": (2, 5),
        "b": (2, 6),
        "c": (2, 7),
    }
    assert {one.seed for one in prompts.values()} == {""}


def test_a_first_piece_which_takes_as_long_as_its_seed_has_no_company(desk):
    desk.tell(*opened("a"), *opened("b"), *opened("c", start=1, state=state(1)), Capacity(2))
    dealt = []
    for _ in range(3):
        batch, prompts = desk.dealt()
        dealt.append(set(prompts))
        desk.tell(*map(CloseRun, prompts), Finished(batch))
    assert dealt == [{"a"}, {"b"}, {"c"}]


def test_a_new_text_joins_at_the_next_piece_and_an_ended_one_leaves(desk):
    desk.tell(Capacity(2), *opened("a", length=2))
    first, prompts = desk.dealt()
    desk.tell(*opened("b", start=1, state=state(1)), Finished(first, (("a", state(1)),)))
    second, prompts = desk.dealt()
    assert {run: one.index for run, one in prompts.items()} == {"a": 1, "b": 1}
    desk.tell(Finished(second, (("a", state(2)), ("b", state(2)))))
    _, prompts = desk.dealt()
    assert {run: one.index for run, one in prompts.items()} == {"b": 2}


def test_of_a_crowd_one_batch_is_under_way_and_the_others_wait_for_the_next(desk):
    begun = {"start": 1, "state": state(1)}
    for run in "abcdef":
        desk.tell(*opened(run, **begun))
    desk.tell(Capacity(8))
    first, prompts = desk.dealt()
    assert set(prompts) == {"a", "b", "c"} and desk.nothing()
    desk.tell(Finished(first, tuple((run, state(2)) for run in "abc")))
    assert set(desk.dealt()[1]) == {"d", "e", "f"}


def test_exact_texts_have_no_company_since_they_gain_nothing_by_it(desk):
    for run in "abcde":
        desk.tell(*opened(run, start=1, state=state(1), exact=True))
    desk.tell(Capacity(8))
    dealt = [set(desk.dealt()[1]) for _ in range(4)]
    assert dealt == [{"a"}, {"b"}, {"c"}, {"d"}] and desk.nothing()


def test_no_more_batches_of_texts_than_workers_and_only_one_model_each(desk):
    for run, model in (("a", "m"), ("b", "other"), ("c", "m"), ("d", "m"), ("e", "m")):
        desk.tell(*opened(run, model, start=1, state=state(1)))
    desk.tell(Capacity(4))
    (_, one), (_, two) = desk.dealt(), desk.dealt()
    assert set(one) == {"a", "c", "d"} and set(two) == {"b"} and desk.nothing()


def test_what_is_run_again_has_no_company(desk):
    begun = {"start": 1, "state": state(1)}
    desk.tell(*opened("a", **begun), *opened("b", **begun), Capacity(2))
    first, prompts = desk.dealt()
    assert set(prompts) == {"a", "b"}
    desk.tell(*opened("c", **begun), Resend(first, (("a", 1), ("b", 1)), alone=False))
    seen = []
    for _ in range(3):
        batch, prompts = desk.dealt()
        seen.append(set(prompts))
        desk.tell(CloseRun(next(iter(prompts))), Finished(batch))
    assert sorted(seen, key=min) == [{"a"}, {"b"}, {"c"}]


def test_a_window_that_is_full_holds_one_text_and_no_other(desk):
    desk.tell(Capacity(2), *opened("a", taken=LIMITS.pieces), *opened("b"))
    batch, prompts = desk.dealt()
    assert set(prompts) == {"b"}
    desk.tell(Credit("a", 1), CloseRun("b"), Finished(batch, (("b", state(1)),)))
    _, prompts = desk.dealt()
    assert set(prompts) == {"a"} and prompts["a"].count == count_of(0, 100)


def test_a_text_that_is_opened_again_goes_on_from_its_state(desk):
    order = OpenText("a", "m", "seed", 100, 5, TextOptions(), 2, state(16, 9.0))
    desk.tell(Capacity(2), order, BeginRun("a"))
    _, prompts = desk.dealt()
    assert (prompts["a"].index, prompts["a"].count, prompts["a"].state.index) == (5, 16, 16)


def test_pieces_that_nobody_wants_any_more_take_no_slot(desk):
    desk.tell(Capacity(2), OpenText("a", "m", "seed", 5000, 20, TextOptions()), BeginRun("a"))
    for piece in range(20 + LIMITS.pieces):
        batch, prompts = desk.dealt()
        assert prompts["a"].index == piece
        desk.tell(Finished(batch, (("a", state(piece + 1)),)))
    assert desk.nothing()
