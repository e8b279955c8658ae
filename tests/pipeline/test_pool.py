"""The pool alone, with real processes that cannot even start."""

from inference.child import Child
from inference.messages import Connect, Endpoint
from inference.pool import STARTS, Pool
from tests.kit.waiting import wait_until


class Recorder:
    """A listener that only takes notes."""

    def __init__(self):
        self.deaths, self.reasons = [], []

    def worker_died(self, worker, how, hung):
        self.deaths.append(how)
        return False

    def pool_failed(self, reason):
        self.reasons.append(reason)


def test_workers_that_die_at_their_start_are_given_up_with_a_reason():
    recorder = Recorder()
    pool = Pool(lambda name: Child(name, "tests.kit.processes:dies_at_its_start"), 1, 4, 30, recorder)
    pool.start([], Connect(Endpoint("tcp://127.0.0.1:1", "k"), Endpoint("tcp://127.0.0.1:1", "k")))

    def given_up():
        pool.watch()
        return recorder.reasons

    wait_until(given_up, 60)
    assert recorder.deaths == ["exit status 3"] * STARTS
    assert "exit status 3" in recorder.reasons[0] and recorder.reasons == [pool.failure]
    for _ in range(3):
        pool.watch()
    assert pool.children == []
