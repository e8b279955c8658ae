"""Tiny character models of either Keras, with weights so large that what they say is far from even.

Importing this imports TensorFlow, so tests import it inside the fixtures that need it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tf_keras

from inference.text.vocabulary import DEFAULT

SIZE = len(DEFAULT)


def _chain(k: Any, *layers: Any, inputs: tuple[int, ...] = ()) -> Any:
    return k.Sequential([k.Input((None, *inputs)), *layers, k.layers.Dense(SIZE, activation="softmax")])


def lstms(k: Any, gate: str = "sigmoid", units: int = 24) -> Any:
    """Two LSTM layers behind an embedding, with dropout between them."""
    layer = k.layers
    first = layer.LSTM(units, recurrent_activation=gate, return_sequences=True)
    second = layer.LSTM(units, recurrent_activation=gate, return_sequences=True)
    return _chain(k, layer.Embedding(SIZE, 8), first, layer.Dropout(0.2), second)


def gru(k: Any, reset_after: bool, gate: str = "sigmoid") -> Any:
    """A GRU whose unknown characters change nothing."""
    cell = k.layers.GRU(20, reset_after=reset_after, recurrent_activation=gate, return_sequences=True)
    return _chain(k, k.layers.Embedding(SIZE, 8, mask_zero=True), cell)


def rows(k: Any) -> Any:
    """Characters as rows of zeros and a one; one output for a whole text; normalized layers."""
    layer = k.layers
    between = (layer.SimpleRNN(20, return_sequences=True), layer.LayerNormalization(), layer.Dense(12, "elu"))
    return _chain(k, *between, layer.BatchNormalization(), layer.LSTM(16), inputs=(SIZE,))


MODELS: dict[str, Callable[[], Any]] = {
    "lstm-keras2.h5": lambda: lstms(tf_keras, "hard_sigmoid"),
    "lstm-keras3.h5": lambda: lstms(keras, "hard_sigmoid"),
    "lstm-keras3.keras": lambda: lstms(keras),
    "gru-keras2.h5": lambda: gru(tf_keras, reset_after=False),
    "gru-keras3.keras": lambda: gru(keras, reset_after=False, gate="hard_sigmoid"),
    "rows-keras2.h5": lambda: rows(tf_keras),
    "rows-keras3.keras": lambda: rows(keras),
}
"""By the names of their files, all of which a browser can run."""


def save(model: Any, path: Path) -> Path:
    """Write a model with weights of its own; gives the path."""
    random = np.random.default_rng(5)
    model.set_weights(
        [
            np.abs(random.normal(0, 0.7, each.shape))
            if "variance" in name
            else random.normal(0, 0.7, each.shape)
            for name, each in zip(_names(model), model.get_weights(), strict=True)
        ]
    )
    model.save(path)
    return path


def _names(model: Any) -> list[str]:
    return [weight.name for weight in model.weights]
