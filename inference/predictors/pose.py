"""Pose models: from frames to keypoints and to animals.

One network that looks at whole frames, or two of which one finds animals and the other their keypoints;
which, is settled in `setup`. This module imports no inference library before that.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from inference.engines import choice
from inference.errors import FrameError, ModelError
from inference.messages import Frame, ModelInfo, PoseOptions, PosePrediction
from inference.predictors import top_down, whole_frame
from inference.predictors.network import CROP_HEADS, Network, OpenEngine
from inference.predictors.stages import Stages
from inference.predictors.top_down import TopDown
from inference.preparation import Prepared


class PosePredictor:
    """A pose model, from frames to points in the video's pixels.

    After each `predict`, `stages` says in ms what its parts took for the whole batch.
    """

    def __init__(
        self,
        *paths: pathlib.Path,
        threads: int,
        allow_model_code: bool,
        open_engine: OpenEngine | None = None,
    ) -> None:
        """Name one model, or a centroid and a centred-instance model in any order; nothing is read yet.

        A path is a model file or a folder that holds one. `open_engine(model, threads=…, any_size=…,
        allow_model_code=…)` gives the engine that runs it (see `inference.engines.choice`): TensorFlow's,
        unless another is named.
        """
        self._paths = paths
        self._open = {
            "threads": threads,
            "allow_model_code": allow_model_code,
            "open_engine": open_engine or choice.open_tensorflow,
        }
        self.stages: dict[str, float] = {}

    def setup(self) -> None:
        """Load the models, run each once, and check that they give what is needed; else ModelError."""
        networks = [Network(path, **self._open) for path in self._paths]  # type: ignore[arg-type]
        self._method = _method(networks)
        self._channels = networks[0].channels

    @property
    def info(self) -> ModelInfo:
        """Node names in the order of the maps' channels, edges and more; after `setup`."""
        return self._method.info

    @property
    def is_top_down(self) -> bool:
        """Whether points are looked for in crops around centroids; after `setup`."""
        return isinstance(self._method, TopDown)

    def feed(self, raw: Frame) -> Any:
        """One frame, (height, width, 1 or 3) uint8, as `predict` takes it; FrameError if it is none."""
        if raw.dtype != np.uint8 or raw.ndim != 3 or raw.shape[2] not in (1, 3) or raw.size == 0:
            raise FrameError(
                f"a frame has to be uint8 of shape (height, width, 1 or 3), "
                f"and is {raw.dtype} of shape {raw.shape}"
            )
        return self._method.feed(raw)

    def predict(self, batch: Sequence[Any], options: PoseOptions) -> list[PosePrediction]:
        """The predictions of some fed frames of one video, in their order; FrameError if the model fails."""
        stages = Stages()
        predictions = self._method.predict(batch, options, stages)
        self.stages = stages.ms
        return predictions


class WholeFrame:
    """One network that looks at whole frames."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.info = network.info

    def feed(self, frame: Frame) -> Prepared:
        """The network's input for a frame."""
        return self._network.preparation.prepare(frame)

    def predict(
        self, batch: Sequence[Prepared], options: PoseOptions, stages: Stages
    ) -> list[PosePrediction]:
        """The predictions of some frames, in their order."""
        outputs = self._network.run([fed.image for fed in batch], stages)
        return [
            whole_frame.predict(self._network, fed, frame, options, stages)
            for fed, frame in zip(batch, outputs, strict=True)
        ]


def _method(networks: Sequence[Network]) -> WholeFrame | TopDown:
    if len(networks) == 2:
        return TopDown(*top_down.ordered(networks))
    (network,) = networks
    if network.kind in CROP_HEADS:
        raise ModelError(
            f"{network.name} is a SLEAP model of the kind {network.kind}, which looks at crops around "
            "animals: it needs its centroid model to find them, and cannot be run alone. Choose both."
        )
    return WholeFrame(network)
