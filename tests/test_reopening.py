"""Runs are opened again one after the other, so that the one that kills the producer is known."""

from hypothesis import given
from hypothesis import strategies as st

from inference.reopening import PATIENCE, TRIES, Reopening


def test_the_next_run_is_opened_once_the_last_one_works():
    runs = Reopening()
    assert runs.died(["a", "b"]) is None
    assert runs.next(0) == "a" and runs.next(1) is None
    runs.works("b")
    assert runs.next(1) is None
    runs.works("a")
    assert runs.next(1) == "b"
    runs.works("b")
    assert runs.next(1) is None


def test_a_run_that_shows_nothing_holds_up_the_others_for_a_while_only():
    runs = Reopening()
    runs.died(["a", "b"])
    assert (runs.next(0), runs.next(PATIENCE - 1), runs.next(PATIENCE)) == ("a", None, "b")


def test_a_run_that_is_over_is_not_opened():
    runs = Reopening()
    runs.died(["a", "b", "c"])
    runs.forget("b")
    runs.next(0)
    runs.forget("a")
    assert runs.next(0) == "c"


def test_a_run_begun_meanwhile_is_opened_too():
    runs = Reopening()
    runs.add("a")
    assert runs.next(0) == "a"


@given(st.permutations(["bad", "a", "b", "c"]))
def test_only_the_run_that_kills_is_given_up(order):
    runs, open_runs, deaths = Reopening(), list(order), 0
    given_up = runs.died(open_runs)
    while given_up is None:
        opened = runs.next(0)
        if opened == "bad":
            deaths += 1
            given_up = runs.died(open_runs)
        elif opened is not None:
            runs.works(opened)
    assert given_up == "bad" and deaths == TRIES
    left = []
    while (opened := runs.next(0)) is not None:
        runs.works(opened)
        left.append(opened)
    assert {*left, "bad"} == {*order}
