"""Grouping by part affinity fields, against a slow and obvious reference and against the truth."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from inference.grouping import group, nearest_cells, outward
from tests.kit.scenes import FLY_13, MOUSE_24, STRIDE, Scene, scene

SKELETONS = {"13 nodes": FLY_13, "24 nodes": MOUSE_24}


def slow_line_score(pafs, start, stop, edge, stride) -> float:
    """One connection's score, point by point; a field that is no number counts as none."""
    height, width, channels = pafs.shape
    dx, dy = float(stop[0]) - float(start[0]), float(stop[1]) - float(start[1])
    length = math.hypot(dx, dy)
    total = 0.0
    for x, y in np.linspace(start, stop, 10, dtype=np.float32):
        col = min(max(round(float(x / np.float32(stride))), 0), width - 1)
        row = min(max(round(float(y / np.float32(stride))), 0), height - 1)
        fx, fy = (float(value) for value in pafs[row, col, 2 * edge : 2 * edge + 2])
        if length > 0:
            total += (fx if math.isfinite(fx) else 0) * dx / length
            total += (fy if math.isfinite(fy) else 0) * dy / length
    longest = 0.25 * max(height, width, channels) * stride
    return total / 10 + (min(longest / length - 1, 0) if length > 0 else 0)


def slow_matches(pafs, points, nodes, edges, edge, stride) -> list[tuple[int, int, float]]:
    starts, stops = ([i for i in range(len(nodes)) if nodes[i] == node] for node in edges[edge])
    table = [[slow_line_score(pafs, points[a], points[b], edge, stride) for b in stops] for a in starts]
    if not starts or not stops:
        return []
    pairs = zip(*linear_sum_assignment(-np.array(table)), strict=True)
    return [(starts[i], stops[j], table[i][j]) for i, j in pairs if table[i][j] >= 0.25]


def slow_group(pafs, points, nodes, edges, stride) -> list[tuple[dict[int, int], float]]:
    """Animals as dictionaries from node to peak, with their scores: a list rebuilt at each step."""
    animals: list[tuple[set[int], float]] = []
    for edge in breadth_first(edges):
        for a, b, score in slow_matches(pafs, points, nodes, edges, edge, stride):
            holding = [animal for animal in animals if animal[0] & {a, b}]
            held = [peak for animal in holding for peak in animal[0]]
            together = list(set(held) | {a, b})
            if len({nodes[peak] for peak in together}) == len(together):
                animals = [animal for animal in animals if animal not in holding]
                animals.append((set(together), score + sum(had for _, had in holding)))
    return [({int(nodes[peak]): peak for peak in peaks}, score) for peaks, score in animals]


def breadth_first(edges) -> list[int]:
    """Level by level from each node that nothing leads to, then from whatever has not been reached."""
    sources = list(dict.fromkeys(source for source, _ in edges))
    roots = [node for node in sources if all(node != to for _, to in edges)]
    order, done = [], set()
    for root in roots + sources:
        level = [root]
        while level:
            below = []
            for node in level:
                if node not in done:
                    done.add(node)
                    leaving = [i for i, (source, _) in enumerate(edges) if source == node]
                    order += leaving
                    below += [edges[i][1] for i in leaving]
            level = below
    return order


def grouped(one: Scene) -> list[tuple[dict[int, int], float]]:
    found = group(one.pafs, one.points, one.nodes, one.n_nodes, one.edges, STRIDE)
    rows = [{node: int(peak) for node, peak in enumerate(row) if peak >= 0} for row in found.members]
    return list(zip(rows, found.scores.tolist(), strict=True))


def assert_same(found, expected) -> None:
    found, expected = (sorted(some, key=lambda one: sorted(one[0].items())) for some in (found, expected))
    assert [members for members, _ in found] == [members for members, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-4)


@pytest.mark.parametrize("edges", SKELETONS.values(), ids=SKELETONS)
@pytest.mark.parametrize(("animals", "seed"), list(itertools.product(range(1, 9), range(3))))
def test_crossing_animals_are_grouped_as_the_reference_groups_them(edges, animals, seed):
    one = scene(100 * animals + seed, edges, animals)
    expected = slow_group(one.pafs, one.points, one.nodes, edges, STRIDE)
    assert_same(grouped(one), expected)
    assert expected


@pytest.mark.parametrize("edges", SKELETONS.values(), ids=SKELETONS)
@pytest.mark.parametrize("animals", range(1, 9))
def test_animals_that_are_apart_are_grouped_as_they_are(edges, animals):
    one = scene(animals, edges, animals, missing=0.0, apart=True)
    found = grouped(one)
    assert len(found) == animals
    for members, score in found:
        assert len(members) == one.n_nodes
        assert len({int(one.owner[peak]) for peak in members.values()}) == 1
        assert score > 0.7 * len(edges)


@pytest.mark.parametrize("seed", range(6))
def test_many_missing_nodes_break_animals_as_they_break_the_reference(seed):
    one = scene(seed, MOUSE_24, 6, missing=0.35)
    expected = slow_group(one.pafs, one.points, one.nodes, MOUSE_24, STRIDE)
    assert_same(grouped(one), expected)
    assert len(expected) > 6


LINE = np.zeros((16, 16, 2), np.float32)
LINE[..., 0] = 1  # everywhere to the right


def two(points, *, pafs=LINE, edges=((0, 1),), nodes=(0, 1)):
    points = np.array(points, np.float32).reshape(-1, 2)
    return group(pafs, points, np.array(nodes), 1 + max(max(edge) for edge in edges), edges, 4.0)


@pytest.mark.parametrize(
    ("points", "scores"),
    [
        ([(4, 8), (20, 8)], [1.0]),
        ([(20, 8), (4, 8)], []),  # against the field
        ([(4, 8), (4, 40)], []),  # across it
        ([(-50, -9), (-40, -9)], [1.0]),  # off the map: clipped
        ([(4, 8), (36, 8)], [0.5]),  # twice as long as costs nothing
        ([(4, 8), (4, 8)], []),  # no direction at all
        ([(1e9, 8), (2e9, 8)], []),
    ],
)
def test_one_connection(points, scores):
    assert two(points).scores.tolist() == pytest.approx(scores)


@st.composite
def tangles(draw):
    """Any edges at all between a few nodes (roots, cycles, loops, twins), any peaks, a rough field."""
    n_nodes = draw(st.integers(1, 6))
    node = st.integers(0, n_nodes - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pafs = rng.normal(0.3, 0.6, (9, 12, 2 * len(edges))).astype(np.float32)
    pafs[rng.random(pafs.shape) < draw(st.sampled_from([0, 0.05]))] = np.nan
    nodes = rng.integers(0, n_nodes, draw(st.integers(0, 16)))
    points = rng.uniform(-20, 70, (len(nodes), 2)).astype(np.float32)
    return Scene(pafs, points, nodes, np.zeros(0), tuple(edges), n_nodes)


@settings(max_examples=150, deadline=None)
@given(tangles())
def test_any_skeleton_is_grouped_as_the_reference_groups_it(one):
    found = grouped(one)
    assert_same(found, slow_group(one.pafs, one.points, one.nodes, one.edges, STRIDE))
    held = [peak for members, _ in found for peak in members.values()]
    assert len(held) == len(set(held))
    assert all(one.nodes[peak] == node for members, _ in found for node, peak in members.items())


@settings(max_examples=50, deadline=None)
@given(tangles())
def test_each_edge_is_taken_once(one):
    assert sorted(outward(one.edges)) == list(range(len(one.edges)))


@pytest.mark.parametrize("count", [0, 1, 3, 99, None])
def test_the_animals_with_the_highest_scores_are_kept_in_their_order(count):
    one = scene(7, FLY_13, 6, missing=0.3)
    every = group(one.pafs, one.points, one.nodes, one.n_nodes, one.edges, STRIDE)
    kept = group(one.pafs, one.points, one.nodes, one.n_nodes, one.edges, STRIDE, count)
    best = sorted(every.scores, reverse=True)[:count]
    assert sorted(kept.scores, reverse=True) == best
    assert kept.members.tolist() == [
        row for row, score in zip(every.members.tolist(), every.scores, strict=True) if score in best
    ]


def test_edges_may_be_given_in_any_order():
    one = scene(3, MOUSE_24, 4, missing=0.0, apart=True)
    order = np.random.default_rng(0).permutation(len(one.edges))
    channels = np.stack([2 * order, 2 * order + 1], axis=1).ravel()
    edges = tuple(one.edges[position] for position in order)
    assert_same(grouped(replace(one, pafs=one.pafs[..., channels], edges=edges)), grouped(one))


def test_nothing_to_group():
    assert len(two([], nodes=()).members) == 0
    assert len(two([(4, 8)], nodes=(0,)).members) == 0
    empty = group(np.zeros((4, 4, 0), np.float32), np.ones((2, 2), np.float32), np.array([0, 1]), 2, (), 4.0)
    assert empty.members.shape == (0, 2)


def test_a_field_that_is_no_number_says_nothing():
    assert len(two([(4, 8), (20, 8)], pafs=np.full_like(LINE, np.nan)).members) == 0
    assert len(two([(4, 8), (20, 8)], pafs=np.full_like(LINE, np.inf)).members) == 0


def test_one_bad_cell_takes_no_connection_from_another_animal():
    pafs = np.zeros((16, 16, 2), np.float32)
    pafs[:8, :, 0] = 1
    pafs[14, 12] = np.nan  # on the line of the second animal only
    found = two([(4, 8), (20, 8), (40, 56), (56, 56)], pafs=pafs, nodes=(0, 1, 0, 1))
    assert found.members.tolist() == [[0, 1]]


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 3e38])
def test_a_peak_that_is_nowhere_belongs_to_nobody(odd):
    found = two([(4, 8), (odd, 8), (20, 8)], nodes=(0, 1, 1))
    assert found.members.tolist() == [[0, 2]]


def test_halfway_between_two_cells_the_even_one_is_nearest():
    points = np.array([(2, 14), (6, 10), (10, 6), (14, 2)], np.float32)
    rows, columns = nearest_cells(points, 4.0, 9, 9)
    assert rows.tolist() == [4, 2, 2, 0]
    assert columns.tolist() == [0, 2, 2, 4]


def test_a_loop_connects_nothing():
    assert len(two([(4, 8), (20, 8)], edges=((0, 0),), nodes=(0, 0)).members) == 0


def test_a_field_of_another_skeleton_is_refused():
    with pytest.raises(ValueError, match="2 edges need 4 channels"):
        two([(4, 8), (20, 8)], edges=((0, 1), (1, 2)))


@pytest.mark.parametrize(
    ("edges", "order"),
    [
        (((0, 1), (1, 2)), [0, 1]),
        (((1, 2), (0, 1)), [1, 0]),  # given from the leaf
        (((0, 1), (2, 3)), [0, 1]),  # two roots
        (((0, 1), (0, 2), (2, 3), (1, 4)), [0, 1, 3, 2]),
        (((0, 1), (1, 2), (2, 0)), [0, 1, 2]),  # a cycle
        (((0, 1), (2, 1)), [0, 1]),  # a node that two lead to
    ],
)
def test_edges_are_taken_from_the_root_outwards(edges, order):
    assert outward(edges) == order


def test_parts_that_grew_apart_are_joined_where_no_node_is_twice():
    pafs = np.zeros((16, 16, 6), np.float32)
    pafs[..., ::2] = 1
    edges = ((0, 1), (2, 3), (1, 2))  # from two roots, then the link between the halves
    found = group(pafs, np.array([(2, 8), (6, 8), (10, 8), (14, 8)], np.float32), np.arange(4), 4, edges, 4.0)
    assert found.members.tolist() == [[0, 1, 2, 3]]
    assert found.scores.tolist() == pytest.approx([3.0])
