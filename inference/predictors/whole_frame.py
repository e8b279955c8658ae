"""Pose models that look at whole frames: single-instance, centroid, bottom-up, multi-class bottom-up, plain.

From a network's raw outputs to peaks in the video's pixels and to instances. Pure: the network is run
elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from inference import classes, grouping, layers, peaks
from inference.images import Geometry
from inference.messages import Instances, Layer, ModelInfo, PoseOptions, PosePrediction
from inference.peaks import GridPeaks
from inference.predictors.instances import best, none_found, of_members, of_points
from inference.predictors.network import FrameOutputs, Network
from inference.predictors.stages import Stages
from inference.preparation import Prepared

_REFINEMENTS: dict[str, peaks.Refinement] = {
    "integral": peaks.refine_integral,
    "local": peaks.refine_local,
    "none": peaks.refine_none,
}


@dataclass(frozen=True)
class Found:
    """Peaks of one frame: on the grid, refined in cells, and refined in the video's pixels."""

    grid: GridPeaks
    cells: npt.NDArray[np.float32]
    points: npt.NDArray[np.float64]
    strong: npt.NDArray[np.bool_]


def refined(outputs: FrameOutputs, found: GridPeaks, refinement: str | None) -> npt.NDArray[np.float32]:
    """Peaks in cells, (n, 2) (x, y): by the offset head unless a refinement is asked for by name."""
    if refinement is None and outputs.offsets is not None:
        return peaks.refine_offsets(outputs.offsets, found)
    return _REFINEMENTS[refinement or "integral"](outputs.confmaps, found)


def find(outputs: FrameOutputs, geometry: Geometry, options: PoseOptions, *, one_per_node: bool) -> Found:
    """The peaks above the floor; `strong` are those above the threshold."""
    search = peaks.global_peaks if one_per_node else peaks.local_peaks
    floor = min(options.floor, options.threshold)
    grid = peaks.strongest(search(outputs.confmaps, floor), options.threshold)
    cells = refined(outputs, grid, options.refinement)
    return Found(grid, cells, geometry.to_frame(cells), grid.values > options.threshold)


def predict(
    network: Network, fed: Prepared, outputs: FrameOutputs, options: PoseOptions, stages: Stages
) -> PosePrediction:
    """Everything about one frame."""
    geometry = network.preparation.geometry(fed, outputs.confmaps.shape[:2])
    with stages("peaks"):
        found = find(outputs, geometry, options, one_per_node=network.kind == "single_instance")
    with stages("grouping"):
        assemble = _ASSEMBLE.get(network.kind, _plain)
        instances = best(
            assemble(network.info, found, outputs, geometry, fed, network), options.max_instances
        )
    layer = None
    if options.layer is not None:
        with stages("maps"):
            layer = draw(options.layer, outputs, geometry, network, fed)
    return PosePrediction(
        found.points, found.grid.values.astype(np.float64), found.grid.channels, instances, layer
    )


def draw(
    wanted: str | None, outputs: FrameOutputs, geometry: Geometry, network: Network, fed: Prepared
) -> Layer | None:
    """The picture of the maps that was asked for, if the network has them."""
    if wanted == "confmaps":
        return layers.of_confmaps(outputs.confmaps, geometry)
    if wanted == "pafs" and outputs.pafs is not None:
        stride = _paf_stride(network, fed, outputs)
        return layers.of_pafs(outputs.pafs, replace(geometry, stride=(stride, stride)))
    return None


# How each kind makes instances of its peaks ----------------------------------------------------------

Assemble = Callable[[ModelInfo, Found, FrameOutputs, Geometry, Prepared, Network], Instances]


def _single(
    info: ModelInfo, found: Found, outputs: FrameOutputs, geometry: Geometry, fed: Prepared, network: Network
) -> Instances:
    """One animal; its score is the sum of all nodes' greatest values, of missing nodes too, as in SLEAP."""
    if not found.strong.any():
        return none_found(len(info.nodes))
    points = np.full((1, len(info.nodes), 2), np.nan)
    values = np.full((1, len(info.nodes)), np.nan)
    nodes = found.grid.channels[found.strong]
    points[0, nodes] = found.points[found.strong]
    values[0, nodes] = found.grid.values[found.strong]
    greatest = outputs.confmaps.reshape(-1, len(info.nodes)).max(axis=0)
    # in float64, which no number of the maps' own type overflows
    score = greatest.sum(where=np.isfinite(greatest), dtype=np.float64)
    return of_points(points, values, np.array([score]))


def _each_alone(
    info: ModelInfo, found: Found, outputs: FrameOutputs, geometry: Geometry, fed: Prepared, network: Network
) -> Instances:
    """Every centroid is an animal."""
    values = found.grid.values[found.strong]
    return of_points(found.points[found.strong][:, None], values[:, None], values)


def _by_fields(
    info: ModelInfo, found: Found, outputs: FrameOutputs, geometry: Geometry, fed: Prepared, network: Network
) -> Instances:
    """Peaks grouped by part affinity fields, in the model's input pixels: scaling is undone afterwards."""
    assert outputs.pafs is not None  # noqa: S101
    cells, strong = found.cells[found.strong], found.grid.take(found.strong)
    inputs = cells * np.array(geometry.stride, np.float32)
    grouped = grouping.group(
        outputs.pafs,
        inputs,
        strong.channels,
        len(info.nodes),
        info.edges,
        _paf_stride(network, fed, outputs),
    )
    return of_members(grouped.members, found.points[found.strong], strong.values, grouped.scores)


def _by_classes(
    info: ModelInfo, found: Found, outputs: FrameOutputs, geometry: Geometry, fed: Prepared, network: Network
) -> Instances:
    """Peaks grouped by the individual that each belongs to: at most one instance a class."""
    assert outputs.classes is not None and network.config is not None  # noqa: S101
    cells, strong = found.cells[found.strong], found.grid.take(found.strong)
    stride = network.config.class_stride or network.config.confmap_stride
    members, probabilities = classes.class_of_peaks(
        outputs.classes,
        cells * np.array(geometry.stride, np.float32),
        strong.channels,
        len(info.nodes),
        stride,
    )
    return _of_classes(members, found.points[found.strong], strong.values, probabilities)


def _of_classes(
    members: npt.NDArray[np.int64],
    points: npt.NDArray[np.float64],
    values: npt.NDArray[np.float32],
    probabilities: npt.NDArray[np.floating],
) -> Instances:
    present = np.flatnonzero((members >= 0).any(axis=1))
    held = members[present]
    there = held >= 0
    scores = np.array([values[row[mask]].mean() for row, mask in zip(held, there, strict=True)])
    sure = np.array(
        [probabilities[row[mask], one].mean() for one, row, mask in zip(present, held, there, strict=True)]
    )
    return of_members(held, points, values, scores, present, sure)


def _plain(
    info: ModelInfo, found: Found, outputs: FrameOutputs, geometry: Geometry, fed: Prepared, network: Network
) -> Instances:
    """A plain model's: by its part affinity fields; without any, one animal where no node has two peaks."""
    if outputs.pafs is not None and info.many:
        return _by_fields(info, found, outputs, geometry, fed, network)
    nodes = found.grid.channels[found.strong]
    if len(nodes) == 0 or len(np.unique(nodes)) < len(nodes):
        return none_found(len(info.nodes))
    members = np.full((1, len(info.nodes)), -1, np.int64)
    members[0, nodes] = np.arange(len(nodes))
    values = found.grid.values[found.strong]
    return of_members(members, found.points[found.strong], values, np.array([values.sum(dtype=np.float64)]))


_ASSEMBLE: dict[str | None, Assemble] = {
    "single_instance": _single,
    "centroid": _each_alone,
    "multi_instance": _by_fields,
    "multi_class_bottomup": _by_classes,
}


def _paf_stride(network: Network, fed: Prepared, outputs: FrameOutputs) -> float:
    """Input pixels per cell of the part affinity fields."""
    assert outputs.pafs is not None  # noqa: S101
    if network.config is not None:
        return float(network.config.paf_stride or network.config.confmap_stride)
    return float(fed.image.shape[0] / outputs.pafs.shape[0])
