"""Individuals: nobody is in two places, and nobody is forced to be someone that it is not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.classes import class_of_crops, class_of_peaks


def slow_classes(vectors: np.ndarray) -> list[int]:
    """Of all ways to give each class to one crop at most the best; then its own likeliest only."""
    n, classes = vectors.shape
    rows = max(itertools.permutations([*range(n), *[-1] * max(0, classes - n)], classes), key=lambda way: sum(
        vectors[row, one] for one, row in enumerate(way) if row >= 0
    ))  # fmt: skip
    of_crop = {row: one for one, row in enumerate(rows) if row >= 0}
    return [
        of_crop[row] if row in of_crop and vectors[row].argmax() == of_crop[row] else -1 for row in range(n)
    ]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 3))
def test_crops_get_classes_as_by_trying_every_way(seed, crops, classes):
    vectors = np.random.default_rng(seed).random((crops, classes)).astype(np.float32)
    of_crops, probabilities = class_of_crops(vectors)
    assert of_crops.tolist() == slow_classes(vectors)
    for crop, one in enumerate(of_crops):
        assert np.isnan(probabilities[crop]) if one < 0 else probabilities[crop] == vectors[crop, one]


@pytest.mark.parametrize(
    ("vectors", "classes"),
    [
        ([[0.9, 0.1], [0.2, 0.8]], [0, 1]),
        ([[0.9, 0.1], [0.8, 0.2]], [0, -1]),  # both look like the first: only one can be
        ([[0.1, 0.2]], [1]),
        ([[np.nan, 0.2]], [1]),
        ([[np.nan, np.nan]], [-1]),  # nobody, not the first
        ([[np.nan, np.nan], [0.9, 0.1], [0.2, 0.8]], [-1, 0, 1]),
        ([[], []], [-1, -1]),  # no classes at all
    ],
)
def test_some_crops(vectors, classes):
    assert class_of_crops(np.array(vectors, np.float32))[0].tolist() == classes


def test_no_crops():
    classes, probabilities = class_of_crops(np.zeros((0, 2), np.float32))
    assert len(classes) == len(probabilities) == 0


def test_peaks_are_looked_up_at_the_nearest_cell_and_matched_node_by_node():
    maps = np.zeros((8, 8, 2), np.float32)
    maps[2, 1] = (0.9, 0.1)
    maps[5, 6] = (0.3, 0.7)
    # nodes 0 and 1 of the first animal, node 0 of the second, whose node 1 is missing; one off the map
    points = np.array([(4.4, 8.3), (3.6, 7.9), (24.5, 19.6), (-99, 999)], np.float32)
    members, probabilities = class_of_peaks(maps, points, np.array([0, 1, 0, 1]), 2, 4.0)
    assert members.tolist() == [[0, 1], [2, -1]]
    assert probabilities[2].tolist() == pytest.approx([0.3, 0.7])
    assert probabilities[3].tolist() == [0, 0]


def test_a_peak_whose_classes_are_no_numbers_is_nobody():
    maps = np.full((4, 4, 2), np.nan, np.float32)
    members, _ = class_of_peaks(maps, np.ones((1, 2), np.float32), np.array([0]), 1, 4.0)
    assert members.tolist() == [[-1], [-1]]


@pytest.mark.parametrize("odd", [np.inf, -np.inf, 3e38, -3e38])
def test_a_peak_far_off_the_map_is_looked_up_at_its_border(odd):
    maps = np.zeros((4, 4, 2), np.float32)
    maps[1, [0, 3]] = [(0.9, 0.1), (0.1, 0.9)]
    members, _ = class_of_peaks(maps, np.array([(odd, 4)], np.float32), np.array([0]), 1, 4.0)
    assert members.tolist() == ([[-1], [0]] if odd > 0 else [[0], [-1]])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(1, 3), st.integers(1, 3))
def test_peaks_are_matched_node_by_node_as_crops_are(seed, n, n_classes, n_nodes):
    rng = np.random.default_rng(seed)
    maps = rng.random((6, 7, n_classes)).astype(np.float32)
    cells = rng.permutation(42)[:n]  # no two in one cell: of equals either may be chosen
    points = np.stack([cells % 7, cells // 7], axis=1).astype(np.float32) * 4
    nodes = rng.integers(0, n_nodes, n)
    nodes[4 * n_nodes :] = 0
    members, probabilities = class_of_peaks(maps, points, nodes, n_nodes, 4.0)
    for node in range(n_nodes):
        peaks = np.flatnonzero(nodes == node)[:5]
        if len(peaks) < (nodes == node).sum():
            continue  # trying every way would take too long
        classes = slow_classes(probabilities[peaks])
        expected = {(one, int(peak)) for peak, one in zip(peaks, classes, strict=True)}
        found = {(one, int(peak)) for one, peak in enumerate(members[:, node]) if peak >= 0}
        assert found == {pair for pair in expected if pair[0] >= 0}
