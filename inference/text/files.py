"""Reading a character model's file: HDF5 or `.keras`, of any Keras from 2 on, with no TensorFlow.

What the numbers mean is as it was when the file was written: Keras 2's hard_sigmoid is another function than
Keras 3's. What cannot be known is said in `notes`.
"""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from typing import Any

import h5py

from inference import model_files
from inference.errors import ModelError
from inference.model_files import Format, StoredModel
from inference.text import activations, vocabulary, weights
from inference.text.chain import RECURRENT, Layer, chain, function, input_width, is_text
from inference.text.vocabulary import VocabularyFile
from inference.text.weights import Weights

__all__ = ["CharModel", "TrainedLayer", "is_text", "read"]

MOST_ROWS = 1 << 28
"""Numbers that the first layer's products for every character may take together."""

_ONLY_ONE = ("recurrent_activation", "SimpleRNN")
"""What a layer has not got."""


@dataclass(frozen=True)
class TrainedLayer:
    """A layer and its weights; `config` as Keras wrote it, the last one's without its softmax.

    `kind` is Embedding, LSTM, GRU, SimpleRNN, Dense, Activation, Softmax, LayerNormalization or
    BatchNormalization. `weights` are called and shaped as in Keras: a GRU whose reset gate works behind its
    product (`reset_after`) is known by its bias of two rows.
    """

    kind: str
    name: str
    config: dict[str, Any]
    weights: Weights

    def function(self, key: str = "activation") -> str:
        """The name of an activation of its; "linear" if it has none."""
        return function(self.config.get(key))


@dataclass(frozen=True)
class CharModel:
    """A character model as its file has it: a chain of layers that ends in logits.

    Without an Embedding in front, characters come as rows of zeros and a one. `is_keras2` says what its
    activations mean.
    """

    name: str
    layers: tuple[TrainedLayer, ...]
    vocabulary: VocabularyFile
    is_keras2: bool
    notes: tuple[str, ...] = ()


def read(path: pathlib.Path) -> CharModel:
    """Read the model at a path, a file or a folder that holds one; ModelError says why that cannot be."""
    stored = model_files.inspect(path)
    if stored.config is None:
        raise ModelError(
            f"{stored.name} is a SavedModel, whose layers cannot be told apart: "
            "save it as HDF5, with model.save('model.h5')."
        )
    layers = chain(stored.config, stored.name)
    held = vocabulary.read(stored.companion) if stored.companion else VocabularyFile(vocabulary.DEFAULT)
    size = len(held.characters)
    with weights.opened(stored) as group:
        trained = _trained(group, stored, layers, size)
    notes = [note for note in (_of_sigmoid(stored, layers), _of_reset(stored, trained)) if note]
    return CharModel(stored.name, trained, held, "KERAS2" in stored.format.name, tuple(notes))


def _trained(
    group: h5py.Group, stored: StoredModel, layers: tuple[Layer, ...], size: int
) -> tuple[TrainedLayer, ...]:
    """Every layer with its weights; ModelError if one does not fit the one before it, or the vocabulary."""
    width = _width(stored, layers[0], size)
    trained = []
    for layer in layers:
        _refuse_activations(stored.name, layer)
        held = weights.read(group, stored, layer, width)
        width = weights.width_after(layer, width)
        if layer.kind in RECURRENT and held["kernel"].shape[1] * size > MOST_ROWS:
            raise ModelError(f"{stored.name} is too large to be run: see its layer {layer.title}.")
        trained.append(TrainedLayer(layer.kind, layer.name, layer.config, held))
    if width != size:
        raise ModelError(_other_size(stored, "gives probabilities for", width, size))
    return tuple(trained)


def _width(stored: StoredModel, first: Layer, size: int) -> int:
    """How wide the input is: a number for each character, or a row for it."""
    if first.kind == "Embedding":
        if first.config.get("input_dim") != size:
            raise ModelError(_other_size(stored, "takes", first.config.get("input_dim"), size))
        return 1
    width = input_width(stored.config or {})
    if width is None or width != size:
        raise ModelError(_other_size(stored, "takes", width, size))
    return width


def _other_size(stored: StoredModel, does: str, found: object, size: int) -> str:
    where = (
        stored.companion.name
        if stored.companion
        else "the usual vocabulary, taken as it has none of its own,"
    )
    return (
        f"{stored.name} {does} {'no' if found is None else found} characters, and {where} has {size}. Put "
        f"{stored.path.with_suffix('.json').name} beside it, with the character of each of its ids: "
        '{"vocabulary": ["", "a", …]}.'
    )


def _refuse_activations(name: str, layer: Layer) -> None:
    for key in ("activation", "recurrent_activation"):
        # what Keras takes where nothing is said has changed with time
        if layer.kind in RECURRENT and key not in layer.config and (key, layer.kind) != _ONLY_ONE:
            raise ModelError(f"{name} is damaged: its layer {layer.title} does not say its {key}.")
        found = layer.function(key)
        if found not in activations.KERAS3:
            raise ModelError(
                f"{name} cannot be run: the {key} of its layer {layer.title} is {found[:80]}. Understood are "
                f"{', '.join(activations.KERAS3)}."
            )


def _of_sigmoid(stored: StoredModel, layers: tuple[Layer, ...]) -> str | None:
    used = {layer.function(key) for layer in layers for key in ("activation", "recurrent_activation")}
    if stored.keras_version is not None or "hard_sigmoid" not in used:
        return None
    ours = "Keras 3" if stored.format is Format.ZIP_KERAS3 else "Keras 2"
    return (
        f"{stored.name} does not say which Keras wrote it, and hard_sigmoid means one thing in Keras 2 and "
        f"another in Keras 3: {ours}'s is taken. If its text makes no sense, that may be why."
    )


def _of_reset(stored: StoredModel, layers: tuple[TrainedLayer, ...]) -> str | None:
    unsaid = [
        layer
        for layer in layers
        if layer.kind == "GRU" and layer.config.get("reset_after") is None and "bias" not in layer.weights
    ]
    if not unsaid:
        return None
    return (
        f"{stored.name} does not say where the reset gate of its layer {unsaid[0].name} works: taken as "
        "it was before there was a choice (reset_after is off)."
    )
