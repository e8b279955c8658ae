"""A model that does nothing: what is left of a frame's time is the pipeline's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inference.messages import Frame, ModelInfo, PoseOptions, PosePrediction
from inference.predictors.instances import of_points
from inference.settings import Kind

KIND = Kind("nothing", (".nothing",), f"{__name__}:Nothing")


class Nothing:
    """Predicts two points that do not depend on the frame."""

    info = ModelInfo(("a", "b"))

    def __init__(self, *paths: Path, threads: int, allow_model_code: bool) -> None:
        """Take what every predictor takes, and use none of it."""
        self.stages: dict[str, float] = {}

    def setup(self) -> None:
        """Nothing to load."""

    def feed(self, raw: Frame) -> None:
        """Nothing to prepare."""

    def predict(self, batch: Sequence[None], options: PoseOptions) -> list[PosePrediction]:
        """The same two points for every frame."""
        points = np.array([[100.0, 100.0], [200.5, 50.25]])
        values = np.array([0.9, 0.8])
        one = of_points(points[None], values[None], np.ones(1))
        return [PosePrediction(points, values, np.array([0, 1]), one) for _ in batch]
