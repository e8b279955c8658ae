"""A text in the pipeline: deaths change nothing of it, and a viewer that does not read stops it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from inference.messages import RunDone, RunFailed, TextOptions, TextResult, TextStarted
from inference.pieces import WINDOW
from inference.requests import TextRequest
from tests.kit import char_models
from tests.kit.waiting import wait_until, wait_until_still


@pytest.fixture
def request_of(bench):
    """Makes a request of the bench's character model."""
    char_models.small(bench.folder / "text.h5", units=256)

    def request_of(length=3000, state=5, exact=True, start=0):
        options = TextOptions(random_state=state, exact=exact)
        return TextRequest(bench.catalog.model("text.h5", takes="text"), "Once", length, options, start)

    return request_of


def written(events):
    """The ids of a text, each piece there once and in order."""
    pieces = [event for event in events if isinstance(event, TextResult)]
    assert [piece.index for piece in pieces] == list(range(len(pieces)))
    assert events[-1] == RunDone(len(pieces))
    return np.concatenate([piece.piece.ids for piece in pieces]).tolist()


def test_workers_killed_in_the_middle_change_nothing(bench, request_of, killed_worker):
    undisturbed = written(bench.watch(bench.pipeline.run(request_of())))
    assert len(undisturbed) == 3000
    chance, pieces, hit = random.Random(3), iter(range(10_000)), set()
    wait_until(lambda: bench.pipeline.ready_workers == 2, 30)
    restarts = bench.pipeline.restarts

    def disturb(_):
        if next(pieces) in (2, 20, 40):
            hit.add(killed_worker(bench.pipeline, chance))

    assert written(bench.watch(bench.pipeline.run(request_of()), disturb)) == undisturbed
    hit.discard(None)
    assert hit
    wait_until(lambda: bench.pipeline.restarts == restarts + len(hit), 30)
    wait_until(lambda: bench.pipeline.ready_workers == 2, 30)


def test_a_producer_killed_in_the_middle_changes_nothing(bench, request_of, killed_producer):
    undisturbed = written(bench.watch(bench.pipeline.run(request_of())))
    pieces = iter(range(10_000))

    def disturb(_):
        if next(pieces) in (3, 40):
            killed_producer(bench.pipeline)

    assert written(bench.watch(bench.pipeline.run(request_of()), disturb)) == undisturbed


def test_a_viewer_that_does_not_read_stops_its_text_and_nobody_elses(bench, request_of):
    with bench.pipeline.run(request_of(length=100_000)) as stalled:
        while not isinstance(stalled.next(30), TextStarted):
            pass
        wait_until(lambda: stalled.progress.next >= WINDOW, 30)
        wait_until_still(lambda: stalled.progress.next)
        assert stalled.progress.next == WINDOW
        assert len(written(bench.watch(bench.pipeline.run(request_of(length=500))))) == 500
        assert stalled.progress.next == WINDOW


def test_a_model_that_is_changed_while_it_writes_ends_its_text_with_a_sentence_or_goes_on(bench, request_of):
    """The old model's texts go on with the worker that has it."""
    undisturbed = written(bench.watch(bench.pipeline.run(request_of())))
    pieces = iter(range(10_000))

    def disturb(_):
        if next(pieces) == 20:
            char_models.small(bench.folder / "text.h5", units=256, random_state=1)

    assert written(bench.watch(bench.pipeline.run(request_of()), disturb)) == undisturbed
    other = bench.watch(bench.pipeline.run(request_of()))
    assert not isinstance(other[-1], RunFailed) and written(other) != undisturbed
