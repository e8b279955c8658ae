"""Whatever order the news comes in, a death loses no frame, and only what kills is given up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.ledger import ALONE_AFTER, OVERTAKEN, Ledger
from inference.messages import Resend


def test_a_dead_workers_frames_are_run_again_but_those_of_living_ones_are_not():
    ledger = Ledger()
    for batch, worker in ((1, 1), (2, 2), (3, None)):
        ledger.sent(batch, "r", (batch * 10, batch * 10 + 1), now=0)
        if worker:
            ledger.claimed(batch, worker)
    losses = ledger.died(1)
    assert set(losses.resend) == {Resend(1, (10, 11), False), Resend(3, (30, 31), False)}
    assert losses.given_up == ()
    assert ledger.died(1).resend == ()


def test_an_answered_batch_is_nobodys_whatever_is_heard_of_it_later():
    ledger = Ledger()
    assert ledger.answered(1, "r", [0])
    ledger.claimed(1, 1)
    ledger.sent(1, "r", (0,), now=0)
    assert ledger.died(1).resend == ()
    assert ledger.lost(before=99) == ()
    assert not ledger.answered(1, "r", [0])


def test_a_frame_that_kills_is_run_alone_and_then_given_up_and_its_neighbours_are_not():
    ledger, batch, frames, alone = Ledger(), 0, (4, 5), False
    for death in range(ALONE_AFTER):
        batch += 1
        ledger.sent(batch, "r", frames, now=0)
        ledger.claimed(batch, death)
        (again,) = ledger.died(death).resend
        frames, alone = again.frames, again.alone
    assert (frames, alone) == ((4, 5), True)
    for frame in frames:
        batch += 1
        ledger.sent(batch, "r", (frame,), now=0)
    ledger.claimed(batch - 1, 50)
    assert ledger.answered(batch - 1, "r", [4])
    ledger.claimed(batch, 51)
    assert ledger.died(51).given_up == (("r", 5),)


def test_deaths_are_forgotten_with_a_frames_result():
    ledger = Ledger()
    for batch in range(1, 9):
        ledger.sent(batch, "r", (0,), now=0)
        ledger.claimed(batch, batch)
        losses = ledger.died(batch)
        assert losses.resend == (Resend(batch, (0,), False),)
        ledger.answered(batch + 100, "r", [0])


@pytest.mark.parametrize(
    ("claimed", "sent_at", "lost"), [(False, 1.0, True), (False, 3.0, False), (True, 1.0, False)]
)
def test_a_batch_that_nobody_claims_while_all_idle_was_lost(claimed, sent_at, lost):
    ledger = Ledger()
    ledger.sent(1, "r", (0, 1), now=sent_at)
    if claimed:
        ledger.claimed(1, 7)
    assert ledger.lost(before=2.0) == ((Resend(1, (0, 1), False),) if lost else ())


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
        ledger.sent(number, "r", frames, now=0)
        queue.append(number)

    def run_again(order):
        for frames in [(frame,) for frame in order.frames] if order.alone else [order.frames]:
            if frames:
                send(frames)

    for first in range(0, 12, 3):
        send((first, first + 1, first + 2))
    for _ in range(data.draw(st.integers(0, 60))):
        match data.draw(st.sampled_from(["take", "answer", "die"])):
            case "take" if queue:
                batch = queue.pop(0)
                held[batch] = list(books[batch])
                ledger.claimed(batch, worker)
            case "answer" if held:
                batch = next(iter(held))
                frames = held.pop(batch)
                answered.update(frames)
                ledger.answered(batch, "r", frames)
            case "die":
                held.clear()
                queue.clear()
                losses = ledger.died(worker)
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
    ledger.claimed(1, 7)
    assert ledger.died(7).held
    assert ledger.sent(1, "r", (0, 1), now=0) == Resend(1, (0, 1), alone=False)
    assert ledger.sent(2, "r", (2, 3), now=0) is None


def test_a_batch_that_many_later_ones_have_overtaken_was_lost_however_busy_the_workers_are():
    ledger = Ledger()
    ledger.sent(1, "r", (0,), now=0)
    for batch in range(2, 2 + OVERTAKEN):
        assert ledger.lost(before=-1) == ()
        ledger.sent(batch, "s", (batch,), now=0)
        ledger.claimed(batch, 1)
        if batch <= OVERTAKEN:
            ledger.answered(batch, "s", [batch])
    assert ledger.lost(before=-1) == (Resend(1, (0,), alone=False),)


def test_a_death_names_the_runs_that_it_touched():
    ledger = Ledger()
    ledger.sent(1, "mine", (0,), now=0)
    ledger.sent(2, "others", (0,), now=0)
    ledger.claimed(1, 1)
    ledger.claimed(2, 2)
    losses = ledger.died(1)
    assert losses.runs == {"mine"}
    assert losses.held
    assert not ledger.died(1).held
