"""Top-down: one network finds the animals' centroids, another the keypoints in a crop around each.

The crops of a whole batch go through the second network together. Pure but for the networks it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference import classes, crops, images, layers, peaks
from inference.errors import ModelError
from inference.images import Geometry
from inference.messages import Frame, Instances, Layer, ModelInfo, PoseOptions, PosePrediction
from inference.predictors import whole_frame
from inference.predictors.instances import none_found, of_points, take
from inference.predictors.network import CROP_HEADS, Network
from inference.predictors.stages import Stages
from inference.preparation import Prepared

MOST_CROPS = 16
"""Crops that go through the network at once: more would only cost memory."""


@dataclass(frozen=True)
class Fed:
    """A frame as both networks need it: the first's input, and what the second's crops are cut from."""

    whole: Prepared
    frame: Frame


@dataclass(frozen=True)
class _Crop:
    """Where a crop stands: its frame's position in the batch, the centroid in the cut frame, its score."""

    position: int
    centre: npt.NDArray[np.float32]
    score: float


def ordered(networks: Sequence[Network]) -> tuple[Network, Network]:
    """The centroid network and the one of crops, given in any order; ModelError if they are no pair."""
    first, second = networks
    if second.kind == "centroid":
        first, second = second, first
    if first.kind != "centroid" or second.kind not in CROP_HEADS:
        said = " and ".join(f"{network.name} is {_described(network)}" for network in networks)
        raise ModelError(
            "Two models together have to be a centroid model and a centered_instance or multi_class_topdown "
            f"model; {said}."
        )
    return first, second


def _described(network: Network) -> str:
    return f"of the kind {network.kind}" if network.kind else "a plain model, not one of SLEAP's"


class TopDown:
    """Centroids, then keypoints around each."""

    def __init__(self, centroids: Network, keypoints: Network) -> None:
        config = keypoints.config
        assert config is not None and config.crop_size is not None  # noqa: S101
        self._centroids, self._keypoints = centroids, keypoints
        self._size, self._scale = config.crop_size, config.input_scaling
        self._stride = config.confmap_stride
        self.info: ModelInfo = keypoints.info

    def feed(self, frame: Frame) -> Fed:
        """The inputs for a frame."""
        target = self._centroids.config.target if self._centroids.config else None
        matched, _ = images.matched(frame, target or frame.shape[:2])
        height, width = matched.shape[:2]
        cut = matched
        if self._scale != 1:
            size = (max(1, int(height * self._scale)), max(1, int(width * self._scale)))
            # through float32, and cut down to whole values, as SLEAP does
            cut = images.resized(matched.astype(np.float32), size).astype(np.uint8)
        return Fed(self._centroids.preparation.prepare(frame), cut)

    def predict(self, batch: Sequence[Fed], options: PoseOptions, stages: Stages) -> list[PosePrediction]:
        """The predictions of some frames, in their order."""
        with stages("inference"):
            outputs = self._centroids.run([fed.whole.image for fed in batch])
        with stages("peaks"):
            whole = whole_frame.split(self._centroids, outputs, len(batch))
            standing = [
                crop for position in range(len(batch)) for crop in self._find(position, batch, whole, options)
            ]
        with stages("crops"):
            inputs = [self._cut(batch[crop.position].frame, crop) for crop in standing]
        found: list[whole_frame.FrameOutputs] = []
        with stages("inference"):
            for start in range(0, len(inputs), MOST_CROPS):
                some = inputs[start : start + MOST_CROPS]
                found += whole_frame.split(self._keypoints, self._keypoints.run(some), len(some))
        with stages("peaks"):
            return [
                self._prediction(
                    batch[position],
                    [
                        (crop, maps)
                        for crop, maps in zip(standing, found, strict=True)
                        if crop.position == position
                    ],
                    options,
                )
                for position in range(len(batch))
            ]

    def _find(
        self,
        position: int,
        batch: Sequence[Fed],
        whole: Sequence[whole_frame.FrameOutputs],
        options: PoseOptions,
    ) -> list[_Crop]:
        """The centroids of one frame above the threshold, with `max_instances` the best of them."""
        fed, outputs = batch[position], whole[position]
        grid = peaks.local_peaks(outputs.confmaps, options.threshold)
        if options.max_instances is not None and len(grid) > options.max_instances:
            strongest = np.argsort(-grid.values, kind="stable")[: options.max_instances]
            grid = grid.take(np.sort(strongest))
        cells = whole_frame.refined(outputs, grid, options.refinement)
        geometry = self._centroids.preparation.geometry(fed.whole, outputs.confmaps.shape[:2])
        # the crops are cut from the matched frame, so that its ratio is undone only at the end
        in_matched = geometry.to_frame(cells) * fed.whole.ratio
        centres = (in_matched * self._scale).astype(np.float32)
        return [
            _Crop(position, centre, float(value)) for centre, value in zip(centres, grid.values, strict=True)
        ]

    def _cut(self, frame: Frame, crop: _Crop) -> images.Image:
        cut = crops.crop(frame, crop.centre, self._size)
        return self._keypoints.preparation.prepare(cut).image

    def _geometry(self, crop: _Crop, ratio: float) -> Geometry:
        """SLEAP's: half a side from the centre to the corner, though the crop was cut half a pixel off."""
        corner = (crop.centre.astype(np.float64) - self._size / 2) / self._scale
        shift = corner + (0.5 if self._scale != 1 else 0.0)
        scale = (self._scale, self._scale)
        return Geometry((self._stride, self._stride), scale, (float(shift[0]), float(shift[1])), ratio)

    def _prediction(
        self, fed: Fed, crops: list[tuple[_Crop, whole_frame.FrameOutputs]], options: PoseOptions
    ) -> PosePrediction:
        ratio = fed.whole.ratio
        found = [
            whole_frame.find(maps, self._geometry(crop, ratio), options, one_per_node=True)
            for crop, maps in crops
        ]
        n_nodes = len(self.info.nodes)
        points = np.full((len(crops), n_nodes, 2), np.nan)
        values = np.full((len(crops), n_nodes), np.nan)
        for i, one in enumerate(found):
            nodes = one.grid.channels[one.strong]
            points[i, nodes] = one.points[one.strong]
            values[i, nodes] = one.grid.values[one.strong]
        scores = np.array([crop.score for crop, _ in crops])
        instances = _kept(self._classed(points, values, scores, crops), n_nodes)
        return PosePrediction(
            np.concatenate([one.points for one in found] or [np.zeros((0, 2))]),
            np.concatenate([one.grid.values for one in found] or [np.zeros(0, np.float32)]).astype(
                np.float64
            ),
            np.concatenate([one.grid.channels for one in found] or [np.zeros(0, np.int64)]),
            instances,
            self._draw(fed, crops) if options.layer == "confmaps" else None,
        )

    def _classed(
        self,
        points: npt.NDArray[np.float64],
        values: npt.NDArray[np.float64],
        scores: npt.NDArray[np.float64],
        crops: list[tuple[_Crop, whole_frame.FrameOutputs]],
    ) -> Instances:
        """With a class each, where the network tells individuals apart; who has none is left out."""
        if not self._keypoints.heads.classes or not crops:
            return of_points(points, values, scores)
        vectors = np.stack([maps.classes for _, maps in crops if maps.classes is not None])
        of_crops, probabilities = classes.class_of_crops(vectors)
        instances = of_points(points, values, scores, of_crops, probabilities)
        return take(instances, of_crops >= 0)

    def _draw(self, fed: Fed, crops: list[tuple[_Crop, whole_frame.FrameOutputs]]) -> Layer:
        """All crops' maps where they stand in the frame, each to the nearest cell; the greater value wins."""
        height, width = (-(-side // self._stride) + 1 for side in fed.frame.shape[:2])
        canvas = np.zeros((height, width, len(self.info.nodes)), np.float32)
        for crop, maps in crops:
            left, top = (round(float(at)) for at in (crop.centre - self._size / 2) / self._stride)
            high, wide = maps.confmaps.shape[:2]
            y0, y1 = max(top, 0), min(top + high, height)
            x0, x1 = max(left, 0), min(left + wide, width)
            if y0 < y1 and x0 < x1:
                part = maps.confmaps[y0 - top : y1 - top, x0 - left : x1 - left]
                np.maximum(canvas[y0:y1, x0:x1], part, out=canvas[y0:y1, x0:x1])
        return layers.of_confmaps(canvas, Geometry.of_sleap(self._stride, self._scale, fed.whole.ratio))


def _kept(instances: Instances, n_nodes: int) -> Instances:
    """Without those that no node was found of: they say nothing."""
    if len(instances) == 0:
        return none_found(n_nodes)
    return take(instances, np.asarray(np.isfinite(instances.points[..., 0]).any(axis=1)))
