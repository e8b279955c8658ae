"""Peaks against tables of small maps, and against a slow, obvious reference on any map."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inference import peaks
from inference.peaks import GridPeaks

NAN, INF = math.nan, math.inf

# few different values, so that ties, plateaus and gaps come up all the time
MAPS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7),
    elements=st.sampled_from([-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, NAN, INF, -INF]),
)
FLOORS = st.sampled_from([-2.0, 0.0, 0.25, 0.3, 1.0])


def one_channel(rows) -> np.ndarray:
    return np.array(rows, np.float32)[..., np.newaxis]


def cells(found: GridPeaks) -> list[tuple[int, int, int]]:
    return list(zip(found.channels.tolist(), found.rows.tolist(), found.cols.tolist(), strict=True))


def slow_local_peaks(maps: np.ndarray, floor: float) -> list[tuple[int, int, int]]:
    found = []
    height, width, channels = maps.shape
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                around = [
                    maps[y, x, c]
                    for y in range(max(0, i - 1), min(height, i + 2))
                    for x in range(max(0, j - 1), min(width, j + 2))
                    if (y, x) != (i, j) and np.isfinite(maps[y, x, c])
                ]
                value = maps[i, j, c]
                if np.isfinite(value) and value > floor and all(value > other for other in around):
                    found.append((c, i, j))
    return found


def slow_global_peaks(maps: np.ndarray, floor: float) -> list[tuple[int, int, int]]:
    found = []
    for c in range(maps.shape[2]):
        best = None
        for i in range(maps.shape[0]):
            for j in range(maps.shape[1]):
                value = maps[i, j, c]
                if np.isfinite(value) and value > floor and (best is None or value > maps[(*best[1:], c)]):
                    best = (c, i, j)
        if best:
            found.append(best)
    return found


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([[0, 0, 0], [0, 1, 0], [0, 0, 0]], [(1, 1)], id="middle"),
        pytest.param([[1, 0, 0], [0, 0, 0], [0, 0, 1]], [(0, 0), (2, 2)], id="corners"),
        pytest.param([[0, 0, 0], [0, 1, 1], [0, 0, 0]], [], id="plateau"),
        pytest.param([[0, 0, 0], [0, 1, 0], [0, 0, 1]], [], id="equal diagonal neighbour"),
        pytest.param([[0, 0, 0], [0, 0.2, 0], [0, 0, 0]], [], id="at the floor"),
        pytest.param([[0, 0, 0], [0, 0.21, 0], [0, 0, 0]], [(1, 1)], id="above the floor"),
        pytest.param([[1]], [(0, 0)], id="one cell"),
        pytest.param([[0.5, 0.4, 0.6]], [(0, 0), (0, 2)], id="one row"),
        pytest.param([[NAN, 0, 0], [0, 1, 0], [0, 0, 0]], [(1, 1)], id="beside NaN"),
        pytest.param([[NAN, NAN], [NAN, NAN]], [], id="all NaN"),
        pytest.param([[INF, 0.3], [0.2, 0.1]], [(0, 1)], id="infinite"),
    ],
)
def test_local_peaks(rows, expected):
    found = peaks.local_peaks(one_channel(rows), 0.2)
    assert [(i, j) for _, i, j in cells(found)] == expected


@given(MAPS, FLOORS)
def test_local_peaks_are_those_of_the_slow_reference(maps, floor):
    found = peaks.local_peaks(maps, floor)
    assert cells(found) == slow_local_peaks(maps, floor)
    assert found.values.tolist() == [maps[i, j, c] for c, i, j in cells(found)]


@given(MAPS, FLOORS)
def test_global_peaks_are_those_of_the_slow_reference(maps, floor):
    assert cells(peaks.global_peaks(maps, floor)) == slow_global_peaks(maps, floor)


@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 0, 2), (3, 3, 0)])
@pytest.mark.parametrize("find", [peaks.local_peaks, peaks.global_peaks])
def test_an_empty_map_has_no_peaks(find, shape):
    assert len(find(np.zeros(shape, np.float32), -1)) == 0


def test_many_channels_and_a_map_that_is_a_view():
    maps = np.random.default_rng(0).random((9, 11, 48), np.float32)
    view = maps[::2, :, ::2]
    assert cells(peaks.local_peaks(view, 0.5)) == slow_local_peaks(view, 0.5)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=40), st.integers(0, 5))
def test_strongest_keeps_all_strong_ones_and_some_weak_ones_of_each_channel(pairs, limit):
    pairs = sorted(pairs, key=lambda pair: pair[0])
    channels = np.array([c for c, _ in pairs], np.int64)
    values = np.array([v for _, v in pairs], np.float32)
    places = np.arange(len(pairs))
    kept = peaks.strongest(GridPeaks(places, places, channels, values), 5, limit)
    for c in range(3):
        mine = kept.values[kept.channels == c].tolist()
        weak = sorted((v for k, v in pairs if k == c and v <= 5), reverse=True)[:limit]
        assert (
            sorted(mine, reverse=True)
            == sorted((v for k, v in pairs if k == c and v > 5), reverse=True) + weak
        )
    assert kept.rows.tolist() == sorted(kept.rows.tolist())


def at(row: int, col: int, channel: int = 0) -> GridPeaks:
    rows, cols, channels = (np.array([n], np.int64) for n in (row, col, channel))
    return GridPeaks(rows, cols, channels, np.ones(1, np.float32))


def slow_integral(maps: np.ndarray, row: int, col: int, channel: int) -> tuple[float, float]:
    total = x = y = 0.0
    for i in range(row - 2, row + 3):
        for j in range(col - 2, col + 3):
            if 0 <= i < maps.shape[0] and 0 <= j < maps.shape[1]:
                value = float(maps[i, j, channel])
                total, x, y = total + value, x + value * (j - col), y + value * (i - row)
    return col + x / total, row + y / total


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9),
        elements=st.floats(0.0625, 1, width=32),
    ),
    st.data(),
)
def test_integral_is_the_centroid_of_the_slow_reference(maps, data):
    row, col, channel = (data.draw(st.integers(0, side - 1)) for side in maps.shape)
    refined = peaks.refine_integral(maps, at(row, col, channel))
    np.testing.assert_allclose(refined, [slow_integral(maps, row, col, channel)], atol=1e-5)


@pytest.mark.parametrize("value", [0.0, -1.0, NAN, INF])
def test_integral_keeps_the_cell_where_the_sum_says_nothing(value):
    maps = np.full((7, 7, 1), value, np.float32)
    maps[3, 3] = 0.5 if value < 0 else value
    assert peaks.refine_integral(maps, at(3, 2)).tolist() == [[2, 3]]


def test_an_unstable_integral_never_leaves_the_map():
    maps = one_channel([[0.1, 0, 0, 0, 0], [0, 0, 0, 0, -0.0999], [0, 0, 0, 0, 0]])
    ((x, y),) = peaks.refine_integral(maps, at(1, 2)).tolist()
    assert (x, y) == (-0.5, -0.5)


@pytest.mark.parametrize(
    ("row", "col", "expected"),
    [
        pytest.param(1, 1, (1.25, 0.75), id="right and up are greater"),
        pytest.param(0, 0, (0.25, 0.25), id="outside is zero"),
        pytest.param(2, 2, (1.75, 1.75), id="lower right corner"),
    ],
)
def test_local_refinement(row, col, expected):
    maps = one_channel([[0.1, 0.6, 0.1], [0.2, 1, 0.3], [0.1, 0.5, 0.1]])
    assert peaks.refine_local(maps, at(row, col)).tolist() == [list(expected)]


def test_local_refinement_stays_where_neighbours_are_equal():
    assert peaks.refine_local(np.ones((3, 3, 1), np.float32), at(1, 1)).tolist() == [[1, 1]]


def test_offsets_are_read_at_the_cell_and_of_the_channel():
    offsets = np.zeros((4, 5, 4), np.float32)
    offsets[2, 3] = [9, 9, 0.25, -0.5]
    assert peaks.refine_offsets(offsets, at(2, 3, 1)).tolist() == [[3.25, 1.5]]


@pytest.mark.parametrize(("offset", "expected"), [(99, 4.5), (-99, -0.5), (NAN, 3.0), (INF, 3.0)])
def test_an_offset_never_throws_a_peak_off_the_map(offset, expected):
    offsets = np.full((5, 5, 2), 0, np.float32)
    offsets[3, 3, 0] = offset
    assert peaks.refine_offsets(offsets, at(3, 3)).tolist() == [[expected, 3]]


def test_no_refinement_gives_the_cell():
    assert peaks.refine_none(np.zeros((3, 3, 1), np.float32), at(2, 1)).tolist() == [[1, 2]]
