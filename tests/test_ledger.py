"""Whatever order the news comes in, a death loses no frame, and only what kills is given up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.ledger import ALONE_AFTER, BEYOND_LUCK, OVERTAKEN, UNREST, Ledger
from inference.messages import Resend


def of(frames, run="r"):
    """Items of one run."""
    return tuple((run, frame) for frame in frames)


def test_a_dead_workers_frames_are_run_again_but_those_of_living_ones_are_not():
    ledger = Ledger()
    for batch, worker in ((1, 1), (2, 2), (3, None)):
        ledger.sent(batch, of((batch * 10, batch * 10 + 1)), now=0)
        if worker:
            ledger.claimed(batch, worker, items=1, now=0)
    losses = ledger.died(1, now=0)
    assert set(losses.resend) == {Resend(1, of((10, 11)), False), Resend(3, of((30, 31)), False)}
    assert losses.given_up == ()
    assert ledger.died(1, now=0).resend == ()


def test_an_answered_batch_is_nobodys_whatever_is_heard_of_it_later():
    ledger = Ledger()
    assert ledger.answered(1, of([0]), now=0)
    ledger.claimed(1, 1, items=1, now=0)
    ledger.sent(1, of((0,)), now=0)
    assert ledger.died(1, now=0).resend == ()
    assert ledger.lost(before=99) == ()
    assert not ledger.answered(1, of([0]), now=0)


def test_a_frame_that_kills_is_run_alone_and_then_given_up_and_its_neighbours_are_not():
    ledger, batch, frames, alone = Ledger(), 0, of((4, 5)), False
    for death in range(ALONE_AFTER):
        batch += 1
        ledger.sent(batch, frames, now=0)
        ledger.claimed(batch, death, items=1, now=0)
        (again,) = ledger.died(death, now=0).resend
        frames, alone = again.items, again.alone
    assert (frames, alone) == (of((4, 5)), True)
    for frame in frames:
        batch += 1
        ledger.sent(batch, (frame,), now=0)
    ledger.claimed(batch - 1, 50, items=1, now=0)
    assert ledger.answered(batch - 1, of([4]), now=0)
    ledger.claimed(batch, 51, items=1, now=0)
    assert ledger.died(51, now=0).given_up == ()
    assert kill(ledger, batch + 1, (5,), now=0).given_up == (("r", 5),)


def test_deaths_are_forgotten_with_a_frames_result():
    ledger = Ledger()
    for batch in range(1, 9):
        ledger.sent(batch, of((0,)), now=0)
        ledger.claimed(batch, batch, items=1, now=0)
        losses = ledger.died(batch, now=0)
        assert losses.resend == (Resend(batch, of((0,)), False),)
        ledger.answered(batch + 100, of([0]), now=0)


@pytest.mark.parametrize(
    ("claimed", "sent_at", "lost"), [(False, 1.0, True), (False, 3.0, False), (True, 1.0, False)]
)
def test_a_batch_that_nobody_claims_while_all_idle_was_lost(claimed, sent_at, lost):
    ledger = Ledger()
    ledger.sent(1, of((0, 1)), now=sent_at)
    if claimed:
        ledger.claimed(1, 7, items=1, now=0)
    assert ledger.lost(before=2.0) == ((Resend(1, of((0, 1)), False),) if lost else ())


ENDS = {
    "answers": lambda ledger, now: ledger.answered(1, of((0,)), now),
    "dies": lambda ledger, now: ledger.died(7, now),
    "hangs and is ended": lambda ledger, now: ledger.died(7, now, hung=True),
    "answers when its run is over": lambda ledger, now: (ledger.forget("r"), ledger.answered(1, (), now)),
    "answers before its claim is heard of again": lambda ledger, now: (
        ledger.answered(1, of((0,)), now),
        ledger.claimed(1, worker=7, items=1, now=now),
    ),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_worker_that_has_a_dead_producers_batch_idles_only_once_it_is_done_with_it(end):
    ledger = Ledger()
    ledger.sent(1, of((0,)), now=0)
    ledger.claimed(1, worker=7, items=1, now=0)
    ledger.abandon()
    ledger.sent(2, of((0,), "other"), now=1)
    assert ledger.lost(before=99) == ()
    end(ledger, now=100)
    ledger.sent(3, of((1,), "other"), now=50)
    assert ledger.lost(before=99.9) == ()
    assert Resend(3, of((1,), "other"), alone=False) in ledger.lost(before=100.1)


def test_workers_idle_from_the_last_answer_on_however_long_ago_a_batch_was_sent():
    ledger = Ledger()
    for batch in (1, 2):
        ledger.sent(batch, of((batch,)), now=0)
    ledger.claimed(1, worker=7, items=1, now=0)
    ledger.answered(1, of((1,)), now=10)
    assert ledger.lost(before=9) == ()
    assert ledger.lost(before=10.1) == (Resend(2, of((2,)), alone=False),)


@settings(max_examples=200)
@given(st.data())
def test_no_frame_is_ever_lost(data):
    """Workers take, answer and die at random, news is late: in the end every frame has its answer."""
    ledger, queue, held, answered, given_up = Ledger(), [], {}, set(), set()
    books, number, worker = {}, 0, 0

    def send(frames):
        nonlocal number
        number += 1
        books[number] = frames
        ledger.sent(number, of(frames), now=0)
        queue.append(number)

    def run_again(order):
        frames = [frame for _, frame in order.items]
        for together in [[frame] for frame in frames] if order.alone else [frames]:
            if together:
                send(together)

    for first in range(0, 12, 3):
        send((first, first + 1, first + 2))
    for _ in range(data.draw(st.integers(0, 60))):
        match data.draw(st.sampled_from(["take", "answer", "die"])):
            case "take" if queue:
                batch = queue.pop(0)
                held[batch] = list(books[batch])
                ledger.claimed(batch, worker, items=1, now=0)
            case "answer" if held:
                batch = next(iter(held))
                frames = held.pop(batch)
                answered.update(frames)
                ledger.answered(batch, of(frames), now=0)
            case "die":
                held.clear()
                queue.clear()
                losses = ledger.died(worker, now=0)
                worker += 1
                given_up |= {frame for _, frame in losses.given_up}
                for order in losses.resend:
                    run_again(order)
    while queue:
        batch = queue.pop(0)
        answered |= set(books[batch])
    answered |= {frame for frames in held.values() for frame in frames}
    assert answered | given_up == set(range(12))


def test_a_batch_whose_sending_is_heard_of_after_its_workers_death_is_run_again_at_once():
    ledger = Ledger()
    ledger.claimed(1, 7, items=1, now=0)
    assert ledger.died(7, now=0).held
    assert ledger.sent(1, of((0, 1)), now=0) == Resend(1, of((0, 1)), alone=False)
    assert ledger.sent(2, of((2, 3)), now=0) is None


def test_a_batch_that_many_later_ones_have_overtaken_was_lost_however_busy_the_workers_are():
    ledger = Ledger()
    ledger.sent(1, of((0,)), now=0)
    for batch in range(2, 2 + OVERTAKEN):
        assert ledger.lost(before=-1) == ()
        ledger.sent(batch, of((batch,), "s"), now=0)
        ledger.claimed(batch, 1, items=1, now=0)
        if batch <= OVERTAKEN:
            ledger.answered(batch, of((batch,), "s"), now=0)
    assert ledger.lost(before=-1) == (Resend(1, of((0,)), alone=False),)


def test_a_death_names_the_runs_that_it_touched():
    ledger = Ledger()
    ledger.sent(1, of((0,), "mine"), now=0)
    ledger.sent(2, of((0,), "others"), now=0)
    ledger.claimed(1, 1, items=1, now=0)
    ledger.claimed(2, 2, items=1, now=0)
    losses = ledger.died(1, now=0)
    assert losses.runs == {"mine"}
    assert losses.held
    assert not ledger.died(1, now=0).held


def test_a_batch_may_hold_items_of_several_runs_and_each_run_answers_for_its_own():
    ledger = Ledger()
    for batch in range(1, ALONE_AFTER + 1):
        ledger.sent(batch, (("a", 3), ("b", 7)), now=0)
        ledger.claimed(batch, batch, items=2, now=0)
        if batch == 2:
            ledger.forget("b")
        losses = ledger.died(batch, now=0)
        expected = (("a", 3),) if batch == 2 else (("a", 3), ("b", 7))
        assert losses.resend == (Resend(batch, expected, alone=batch == ALONE_AFTER),)
        assert losses.runs == {run for run, _ in expected}


def kill(ledger, batch, frames, now, run="r", **how):
    """A worker takes a batch and dies."""
    ledger.sent(batch, of(frames, run), now=now)
    ledger.claimed(batch, worker=batch, items=len(frames), now=now)
    return ledger.died(batch, now=now, **how)


def test_a_frame_is_not_given_up_while_workers_die_for_other_reasons():
    ledger = Ledger()
    for batch in range(1, ALONE_AFTER + 2):
        assert kill(ledger, batch, (5,), now=0).given_up == ()
    ledger.died(99, now=1)  # it held nothing
    assert kill(ledger, 10, (5,), now=2).given_up == ()
    assert kill(ledger, 11, (5,), now=1 + UNREST).given_up == ()
    assert kill(ledger, 12, (5,), now=1.1 + UNREST).given_up == (("r", 5),)


def test_frames_that_kill_at_the_same_time_do_not_excuse_each_other():
    ledger = Ledger()
    for batch in range(1, 2 * (ALONE_AFTER + 1) + 1):
        assert kill(ledger, batch, (batch % 2,), now=0).given_up == ()
    assert kill(ledger, 10, (0,), now=0).given_up == (("r", 0),)
    assert kill(ledger, 11, (1,), now=0).given_up == (("r", 1),)


def test_a_frame_that_kills_in_the_midst_of_unrest_is_given_up_in_the_end():
    ledger = Ledger()
    for batch in range(1, BEYOND_LUCK):
        ledger.died(1000 + batch, now=0)
        assert kill(ledger, batch, (5,), now=0).given_up == ()
    assert kill(ledger, 100, (5,), now=0).given_up == (("r", 5),)


def test_a_worker_that_hangs_has_its_frames_run_alone_at_once():
    ledger = Ledger()
    assert kill(ledger, 1, (4, 5), now=0, hung=True).resend == (Resend(1, of((4, 5)), alone=True),)
    assert kill(ledger, 2, (5,), now=9, hung=True).given_up == ()
    assert kill(ledger, 3, (5,), now=18, hung=True).given_up == (("r", 5),)


def test_a_stop_and_a_kill_are_no_proof():
    ledger = Ledger()
    assert kill(ledger, 1, (5,), now=0, hung=True).given_up == ()
    assert kill(ledger, 2, (5,), now=9).given_up == ()


def test_a_claim_that_is_heard_of_after_its_answer_keeps_nobody_busy():
    ledger = Ledger()
    ledger.sent(1, of((0,)), now=0)
    ledger.answered(1, of([0]), now=0)
    ledger.claimed(1, worker=7, items=1, now=0)
    assert ledger.overdue(now=99, limit=1) == []


def test_time_that_nobody_was_watched_is_excused():
    ledger = Ledger()
    ledger.claimed(1, worker=7, items=1, now=0)
    ledger.excuse(50)
    assert ledger.overdue(now=50.9, limit=1) == [] and ledger.overdue(now=51.1, limit=1) == [7]


def test_deaths_with_frames_of_runs_that_are_over_blame_nobody():
    ledger = Ledger()
    for batch in range(1, 10):
        ledger.sent(batch, of((0, 1)), now=0)
        ledger.claimed(batch, worker=batch, items=2, now=0)
        ledger.forget("r")
        assert ledger.died(batch, now=0).resend == (Resend(batch, (), alone=False),)
    assert not ledger._deaths


def test_a_batch_may_take_as_long_as_all_its_frames():
    ledger = Ledger()
    ledger.claimed(1, worker=7, items=4, now=100)
    ledger.claimed(2, worker=8, items=1, now=100)
    assert ledger.overdue(now=100.9, limit=1) == []
    assert ledger.overdue(now=101.1, limit=1) == [8]
    assert ledger.overdue(now=104.1, limit=1) == [7, 8]
    ledger.answered(1, of([0]), now=0)
    ledger.died(8, now=104)
    assert ledger.overdue(now=999, limit=1) == []


def test_batches_of_a_dead_producer_are_nobodys_but_their_worker_is_watched():
    ledger = Ledger()
    ledger.sent(4, of((0, 1)), now=0)
    ledger.sent(5, of((2,)), now=0)
    ledger.claimed(4, worker=7, items=2, now=0)
    ledger.abandon()
    assert ledger.next_batch == 6
    assert ledger.overdue(now=3, limit=1) == [7]
    assert ledger.lost(before=99) == () and ledger.died(7, now=3).resend == ()
    assert not ledger.answered(5, of([2]), now=0)
