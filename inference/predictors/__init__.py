"""Predictors: what a worker does with one kind of model, one module per kind.

Only the interface stands here; a kind is found by its dotted path, so that only workers import it. A
predictor is made in one thread, set up in that or another, and then fed and asked in one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from inference.messages import ModelInfo, TextInfo


class Predictor(Protocol):
    """A model with everything around it, from a raw input to a prediction."""

    @property
    def info(self) -> ModelInfo | TextInfo:
        """What a viewer has to know of the model; after `setup`."""

    @property
    def stages(self) -> dict[str, float]:
        """What the parts of the last `predict` took, for the whole batch, in ms."""

    def setup(self) -> None:
        """Load the model and warm it up; ModelError says why that cannot be."""

    def feed(self, raw: Any) -> Any:
        """Check one raw input, a frame's pixels or a whole Prompt, and turn it into what `predict` takes.

        FrameError if it doesn't fit.
        """

    def predict(self, batch: Sequence[Any], options: Any) -> list[Any]:
        """The predictions of some fed inputs, in their order; `options` as `Batch` has them."""
