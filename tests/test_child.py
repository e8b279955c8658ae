"""Children that do not listen: whoever tells them something must not wait for ever."""

import os
import signal

import numpy as np
import pytest

from inference import child as module
from inference.child import Child
from inference.messages import Finished, Pong, TextState
from tests.kit.waiting import wait_until


@pytest.fixture
def child(monkeypatch):
    monkeypatch.setattr(module, "TELL_PATIENCE", 0.2)
    started = Child("kit", "tests.kit.processes:answers")
    yield started
    started.end(0)


def test_a_child_that_answers_is_left_alone(child):
    wait_until(lambda: list(child.news()), 20)
    for _ in range(3):
        wait_until(lambda: child._asked_at or child.check(0.2), 5)
        wait_until(lambda: list(child.news()) or not child._asked_at, 5)
    assert child.alive()


def test_a_stopped_child_is_found_silent_and_killed(child):
    wait_until(lambda: list(child.news()), 20)
    os.kill(child.pid, signal.SIGSTOP)
    wait_until(lambda: child.check(0.3) or list(child.news()) or not child.alive(), 10)
    assert child.was_killed and "silent" in child.epitaph()


@pytest.mark.parametrize("numbers", [0, 100_000], ids=["small orders", "orders larger than the pipe"])
def test_a_child_that_takes_no_orders_is_killed(child, numbers):
    states = (("r", TextState(np.zeros(numbers, np.float32), 1, 1)),) if numbers else ()
    wait_until(lambda: list(child.news()), 20)
    os.kill(child.pid, signal.SIGSTOP)
    for batch in range(100_000):
        child.tell(Finished(batch, states))
        if not child.alive():
            break
    wait_until(lambda: not child.alive(), 5)
    assert "took no orders" in child.epitaph()


def test_pongs_are_no_news(child):
    wait_until(lambda: list(child.news()), 20)
    child.check(0)
    assert not any(isinstance(news, Pong) for news in child.news())
