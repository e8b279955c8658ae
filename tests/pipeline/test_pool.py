"""The pool alone, with real processes that cannot even start."""

from inference.child import Child
from inference.messages import Connect
from inference.pool import STARTS, Pool
from tests.kit.waiting import wait_until


class Recorder:
    """A listener that only takes notes."""

    def __init__(self):
        self.deaths, self.reasons = [], []

    def worker_died(self, worker, how):
        self.deaths.append(how)
        return False

    def pool_failed(self, reason):
        self.reasons.append(reason)


def test_workers_that_die_at_their_start_are_given_up_with_a_reason():
    recorder = Recorder()
    pool = Pool(lambda name: Child(name, "tests.kit.processes:dies_at_its_start"), 1, 4, recorder)
    pool.start([], Connect("tcp://127.0.0.1:1", "tcp://127.0.0.1:1"))

    def given_up():
        pool.watch()
        return recorder.reasons

    wait_until(given_up, 60)
    assert recorder.deaths == ["exit status 3"] * STARTS
    assert str(STARTS) in recorder.reasons[0] and recorder.reasons == [pool.failure]
    for _ in range(3):
        pool.watch()
    assert pool.children == []
