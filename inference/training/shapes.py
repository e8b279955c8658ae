"""The networks that are trained here: what they are made of, and the files that hold one.

The law of this file: words and arrays, no TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference.errors import ModelError
from inference.text import files
from inference.text.files import CharModel, TrainedLayer
from inference.text.vocabulary import VocabularyFile

Weights = list[npt.NDArray[np.float32]]
"""A network's arrays, in the order of its layers."""

CELLS = {"lstm": "LSTM", "gru": "GRU"}
"""What Keras calls the kinds of recurrent layers."""

_ARRAYS = {
    "Embedding": ("embeddings",),
    "LSTM": ("kernel", "recurrent_kernel", "bias"),
    "GRU": ("kernel", "recurrent_kernel", "bias"),
    "Dense": ("kernel", "bias"),
}


@dataclass(frozen=True)
class Shape:
    """A network: an embedding of its characters, recurrent layers of one size and kind, and a softmax."""

    characters: int
    embedding: int = 64
    units: int = 512
    layers: int = 1
    cell: str = "lstm"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The layers that have weights, as Keras calls them."""
        return ("Embedding", *[CELLS[self.cell]] * self.layers, "Dense")


def restore(path: Path) -> tuple[Shape, Weights, tuple[str, ...]]:
    """The network in a file, its weights and its vocabulary; ModelError if it is not of this kind."""
    model = files.read(path)
    kinds = tuple(layer.kind for layer in model.layers)
    cell = next((cell for cell, kind in CELLS.items() if kind in kinds), "lstm")
    units = [int(layer.config["units"]) for layer in model.layers if layer.kind == CELLS[cell]]
    characters = model.vocabulary.characters
    shape = Shape(len(characters), 0, units[0] if units else 0, len(units), cell)
    if kinds != shape.kinds or len(set(units)) != 1 or not all(map(_is_usual, model.layers)):
        raise ModelError(
            f"{model.name} cannot be trained on: that needs an embedding, LSTM or GRU layers of one size "
            "(a GRU without reset_after), and a softmax, as train-text writes them."
        )
    weights = [layer.weights[name] for layer in model.layers for name in _ARRAYS[layer.kind]]
    return replace(shape, embedding=weights[0].shape[1]), weights, characters


def _is_usual(layer: TrainedLayer) -> bool:
    """Whether a layer computes what those of a network made here compute."""
    config = layer.config
    if layer.kind == "Embedding":
        return not config.get("mask_zero")
    if layer.kind == "Dense":
        return "bias" in layer.weights
    functions = layer.function("activation"), layer.function("recurrent_activation")
    return functions == ("tanh", "sigmoid") and layer.weights.get("bias", np.empty(0)).ndim == 1


def as_read(name: str, shape: Shape, weights: Weights, vocabulary: VocabularyFile) -> CharModel:
    """The network as it would be read from its file."""
    left = iter(weights)
    layers = []
    for number, kind in enumerate(shape.kinds):
        arrays = {array: next(left) for array in _ARRAYS[kind]}
        activation = {"Dense": "linear"}.get(kind, "tanh")
        config = {"activation": activation, "recurrent_activation": "sigmoid", "units": shape.units}
        layers.append(TrainedLayer(kind, f"{kind}_{number}", config, arrays))
    return CharModel(name, tuple(layers), vocabulary, is_keras2=False)
