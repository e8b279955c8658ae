"""Made-up animals with many nodes, the fields that a perfect network would give for them, and the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRIDE = 4
FLY_13 = ((1, 0), (1, 2), (1, 3), (1, 4), (0, 5), (0, 6), (1, 7), (1, 8), (1, 9), (1, 10), (1, 11), (1, 12))
"""A thorax (1) with head, abdomen, wings and legs; eyes at the head: a tree of 13 nodes."""
MOUSE_24 = tuple((max(0, node // 2 - (node % 3 == 0)), node) for node in range(1, 24))
"""A deeper tree of 24 nodes."""


@dataclass(frozen=True)
class Scene:
    """Fields, and peaks in no order: `owner` is each peak's animal."""

    pafs: np.ndarray
    points: np.ndarray
    nodes: np.ndarray
    owner: np.ndarray
    edges: tuple[tuple[int, int], ...]
    n_nodes: int


def scene(
    seed: int, edges: tuple[tuple[int, int], ...], animals: int, *, missing: float = 0.1, apart: bool = False
) -> Scene:
    """Animals of random shape; crossing each other, unless they are to be `apart`."""
    rng = np.random.default_rng(seed)
    n_nodes = 1 + max(max(edge) for edge in edges)
    side = 640
    shapes = np.zeros((animals, n_nodes, 2))
    for source, destination in edges:
        shapes[:, destination] = shapes[:, source] + rng.normal(0, 16, (animals, 2))
    if apart:
        cells = rng.permutation(9)[:animals]
        centres = np.stack([cells % 3, cells // 3], axis=1) * 200.0 + 120
        shapes = np.clip(shapes, -70, 70)
    else:
        centres = rng.uniform(150, side - 150, (animals, 2))
    truth = centres[:, None] + shapes
    there = rng.random((animals, n_nodes)) >= missing
    owner, nodes = np.nonzero(there)
    order = rng.permutation(len(owner))
    points = truth[owner, nodes][order].astype(np.float32)
    return Scene(fields(truth, edges, side), points, nodes[order], owner[order], edges, n_nodes)


def fields(truth: np.ndarray, edges: tuple[tuple[int, int], ...], side: int) -> np.ndarray:
    """Each edge's direction within 6 px of it, (h, w, 2 * edges) float32; of overlapping ones the mean."""
    axis = np.arange(0, side, STRIDE, dtype=float)
    cells = np.stack(np.meshgrid(axis, axis), axis=-1)
    out = np.zeros((len(axis), len(axis), 2 * len(edges)), np.float32)
    for edge, (source, destination) in enumerate(edges):
        total = np.zeros(cells.shape[:2])
        for animal in truth:
            start, along = animal[source], animal[destination] - animal[source]
            length = np.hypot(*along) or 1.0
            share = np.clip((cells - start) @ (along / length), 0, length)
            near = np.linalg.norm(cells - start - share[..., None] * along / length, axis=-1) < 6
            out[near, 2 * edge : 2 * edge + 2] += along / length
            total += near
        out[..., 2 * edge : 2 * edge + 2] /= np.maximum(total, 1)[..., None]
    return out
