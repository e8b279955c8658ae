"""What waits for a viewer: of a live source only the newest frame, and that only while it is new."""

import queue
import threading
import time

import numpy as np
import pytest

from inference import messages as m
from inference.predictors.instances import none_found
from inference.run import NewestEvents

NOTHING = m.PosePrediction(np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.int64), none_found(1))


def result(frame, age=100.0):
    """A frame that was captured so many s ago, and stays new for a quarter as long."""
    return m.FrameResult("run", frame, NOTHING, None, b"", {}, time.monotonic() - age, sequence=frame)


def taken(events):
    """All that waits."""
    waiting = []
    while True:
        try:
            event = events.get(timeout=0)
        except queue.Empty:
            return [event.index if isinstance(event, m.FrameResult) else event for event in waiting]
        waiting.append(event)


def test_a_frame_gives_way_to_a_newer_one_and_nothing_else_does():
    events = NewestEvents()
    status, failed, done = m.RunStatus("restarting", "Wait."), m.Failed("run", 2, "bad"), m.RunDone(3)
    for event in (result(0), status, result(1), failed, result(3), done):
        events.put(event)
    assert taken(events) == [status, failed, 3, done]


def test_what_waits_is_bounded_however_long_nobody_looks():
    events = NewestEvents()
    events.put(m.RunFailed("first"))
    for frame in range(1000):
        events.put(result(frame))
        events.put(m.Failed("run", frame, "bad"))
        events.put(m.RunStatus("reconnecting", str(frame)))
    waiting = taken(events)
    assert waiting[0] == m.RunFailed("first")
    assert len(waiting) == 2 + NewestEvents.MOST
    assert waiting[-1] == m.RunStatus("reconnecting", "999") and 999 in waiting


def test_a_frame_that_waited_too_long_is_left_for_the_next():
    now = 50.0
    events = NewestEvents(clock=lambda: now)
    captured_before = {"age": time.monotonic() - 49.0}  # 1 s on that clock
    status = m.RunStatus("a", "b")
    for waits, expected in ((0.2, [status, 0]), (0.3, [status])):
        events.put(status)
        events.put(result(0, **captured_before))
        now += waits
        assert taken(events) == expected
        now -= waits


def test_the_last_frame_of_all_is_taken_however_late():
    now = 50.0
    events = NewestEvents(clock=lambda: now)
    events.put(result(0, age=time.monotonic() - 49.0))
    events.put(m.RunDone(1))
    now += 9
    assert taken(events) == [0, m.RunDone(1)]


def test_who_waits_gets_the_next_event_at_once():
    events, got = NewestEvents(), []
    waiting = threading.Thread(target=lambda: got.append(events.get(timeout=20)))
    waiting.start()
    events.put(m.RunDone(0))
    waiting.join(10)
    assert got == [m.RunDone(0)]
    with pytest.raises(queue.Empty):
        events.get(timeout=0.01)
