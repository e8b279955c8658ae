"""How far two predictions agree: a table, and what has to hold of any two."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.agreement import compare
from inference.messages import PosePrediction
from inference.predictors.instances import none_found

SIZE = (400, 500)  # a peak within 8 px is the same one


def prediction(*peaks) -> PosePrediction:
    """Peaks are (x, y, score, node)."""
    rows = np.array(peaks, float).reshape(-1, 4)
    return PosePrediction(rows[:, :2], rows[:, 2], rows[:, 3].astype(int), none_found(2))


ONE = (100, 100, 0.9, 0)


@pytest.mark.parametrize(
    ("first", "second", "peaks", "lost", "gained", "median"),
    [
        ([ONE], [ONE], 2, 0, 0, 0),
        ([ONE], [(103, 104, 0.8, 0)], 2, 0, 0, 5),
        ([ONE], [(109, 100, 0.8, 0)], 2, 1, 1, 0),
        ([ONE], [], 1, 1, 0, 0),
        ([], [ONE], 1, 0, 1, 0),
        ([], [], 0, 0, 0, 0),
        # of another node it is another peak
        ([ONE], [(100, 100, 0.9, 1)], 2, 1, 1, 0),
        # what falls a little below the score is still there; what falls out of sight is not
        ([(100, 100, 0.41, 0)], [(101, 100, 0.39, 0)], 1, 0, 0, 1),
        ([(100, 100, 0.39, 0)], [(101, 100, 0.41, 0)], 1, 0, 0, 0),
        ([ONE], [(100, 100, 0.19, 0)], 1, 1, 0, 0),
        # the nearest is not always the partner: all together have to fit best
        ([(100, 100, 0.9, 0), (105, 100, 0.9, 0)], [(104, 100, 0.9, 0), (109, 100, 0.9, 0)], 4, 0, 0, 4),
    ],
)
def test_peaks_that_stay_move_come_and_go(first, second, peaks, lost, gained, median):
    found = compare([prediction(*first)], [prediction(*second)], SIZE)
    assert (found.peaks, found.lost, found.gained) == (peaks, lost, gained)
    assert found.median == pytest.approx(median)


def test_what_is_close_enough():
    still = [prediction(*[(40 * i, 9, 0.9, 0) for i in range(10)])] * 10

    def moved(by, lost=0):
        peaks = [prediction(*[(40 * i + by, 9, 0.9, 0) for i in range(10)])] * 9
        return compare(
            still, [*peaks, prediction(*[(40 * i + by, 9, 0.9, 0) for i in range(lost, 10)])], SIZE
        )

    assert moved(0.1).is_close
    assert not moved(0.101).is_close
    assert moved(0.0, lost=4).differing == pytest.approx(4 / 196)
    assert not moved(0.0, lost=4).is_close
    assert moved(0.0, lost=3).is_close
    assert not compare([prediction()], [prediction()], SIZE).is_close, "nothing was compared"


PEAKS = st.lists(
    st.tuples(st.floats(0, 400), st.floats(0, 500), st.floats(0, 1), st.integers(0, 1)), max_size=6
)


@given(PEAKS, PEAKS)
def test_of_any_two(a, b):
    first, second = [prediction(*a)], [prediction(*b)]
    here, there = compare(first, second, SIZE), compare(second, first, SIZE)
    assert (here.lost, here.gained, here.peaks) == (there.gained, there.lost, there.peaks)
    assert 0 <= here.differing <= 1
    assert here.median <= here.p95 < 8
    assert compare(first, first, SIZE).differing == 0
