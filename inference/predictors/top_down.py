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
from inference.peaks import Map
from inference.predictors import whole_frame
from inference.predictors.instances import none_found, of_points, take
from inference.predictors.network import CROP_HEADS, FrameOutputs, Network
from inference.predictors.stages import Stages
from inference.predictors.whole_frame import Found
from inference.preparation import Prepared


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


@dataclass(frozen=True)
class _Seen:
    """What was found in a crop: its peaks, its class vector, its maps (height, width, nodes) if wanted."""

    crop: _Crop
    found: Found
    classes: npt.NDArray[np.float32] | None
    maps: Map | None


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
        outputs = self._centroids.run([fed.whole.image for fed in batch], stages)
        standing: list[_Crop] = []
        for position, (fed, one) in enumerate(zip(batch, outputs, strict=True)):
            with stages("peaks"):
                standing += self._find(position, fed, one, options)
        with stages("crops"):
            inputs = [self._cut(batch[crop.position].frame, crop) for crop in standing]
        seen: list[list[_Seen]] = [[] for _ in batch]
        for crop, one in zip(standing, self._keypoints.run(inputs, stages), strict=True):
            with stages("peaks"):
                ratio = batch[crop.position].whole.ratio
                seen[crop.position].append(self._look(crop, one, ratio, options))
        with stages("peaks"):
            return [
                self._prediction(fed, of_frame, options) for fed, of_frame in zip(batch, seen, strict=True)
            ]

    def _find(self, position: int, fed: Fed, outputs: FrameOutputs, options: PoseOptions) -> list[_Crop]:
        """The centroids of one frame above the threshold, with `max_instances` the best of them."""
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

    def _look(self, crop: _Crop, outputs: FrameOutputs, ratio: float, options: PoseOptions) -> _Seen:
        """Find the keypoints in a crop, and copy what else is needed of its outputs."""
        found = whole_frame.find(outputs, self._geometry(crop, ratio), options, one_per_node=True)
        classes = None if outputs.classes is None else outputs.classes.copy()
        return _Seen(crop, found, classes, outputs.confmaps.copy() if options.layer == "confmaps" else None)

    def _cut(self, frame: Frame, crop: _Crop) -> images.Image:
        cut = crops.crop(frame, crop.centre, self._size)
        return self._keypoints.preparation.prepare(cut).image

    def _geometry(self, crop: _Crop, ratio: float) -> Geometry:
        """SLEAP's: half a side from the centre to the corner, though the crop was cut half a pixel off."""
        corner = (crop.centre.astype(np.float64) - self._size / 2) / self._scale
        shift = corner + (0.5 if self._scale != 1 else 0.0)
        scale = (self._scale, self._scale)
        return Geometry((self._stride, self._stride), scale, (float(shift[0]), float(shift[1])), ratio)

    def _prediction(self, fed: Fed, seen: list[_Seen], options: PoseOptions) -> PosePrediction:
        found = [one.found for one in seen]
        n_nodes = len(self.info.nodes)
        points = np.full((len(seen), n_nodes, 2), np.nan)
        values = np.full((len(seen), n_nodes), np.nan)
        for i, one in enumerate(found):
            nodes = one.grid.channels[one.strong]
            points[i, nodes] = one.points[one.strong]
            values[i, nodes] = one.grid.values[one.strong]
        instances = _kept(self._classed(points, values, seen), n_nodes)
        return PosePrediction(
            np.concatenate([one.points for one in found] or [np.zeros((0, 2))]),
            np.concatenate([one.grid.values for one in found] or [np.zeros(0, np.float32)]).astype(
                np.float64
            ),
            np.concatenate([one.grid.channels for one in found] or [np.zeros(0, np.int64)]),
            instances,
            self._draw(fed, seen) if options.layer == "confmaps" else None,
        )

    def _classed(
        self, points: npt.NDArray[np.float64], values: npt.NDArray[np.float64], seen: list[_Seen]
    ) -> Instances:
        """With a class each, where the network tells individuals apart; who has none is left out."""
        scores = np.array([one.crop.score for one in seen])
        if not self._keypoints.heads.classes or not seen:
            return of_points(points, values, scores)
        vectors = np.stack([one.classes for one in seen if one.classes is not None])
        of_crops, probabilities = classes.class_of_crops(vectors)
        instances = of_points(points, values, scores, of_crops, probabilities)
        return take(instances, of_crops >= 0)

    def _draw(self, fed: Fed, seen: list[_Seen]) -> Layer:
        """All crops' maps where they stand in the frame, each to the nearest cell; the greater value wins."""
        height, width = (-(-side // self._stride) + 1 for side in fed.frame.shape[:2])
        canvas = np.zeros((height, width, len(self.info.nodes)), np.float32)
        for one in seen:
            assert one.maps is not None  # noqa: S101
            left, top = (round(float(at)) for at in (one.crop.centre - self._size / 2) / self._stride)
            high, wide = one.maps.shape[:2]
            y0, y1 = max(top, 0), min(top + high, height)
            x0, x1 = max(left, 0), min(left + wide, width)
            if y0 < y1 and x0 < x1:
                part = one.maps[y0 - top : y1 - top, x0 - left : x1 - left]
                np.maximum(canvas[y0:y1, x0:x1], part, out=canvas[y0:y1, x0:x1])
        return layers.of_confmaps(canvas, Geometry.of_sleap(self._stride, self._scale, fed.whole.ratio))


def _kept(instances: Instances, n_nodes: int) -> Instances:
    """Without those that no node was found of: they say nothing."""
    if len(instances) == 0:
        return none_found(n_nodes)
    return take(instances, np.asarray(np.isfinite(instances.points[..., 0]).any(axis=1)))
