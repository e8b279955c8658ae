"""Tiny character models as Keras 2 writes them into HDF5, with random weights, made without TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from inference.settings import KINDS
from inference.text.vocabulary import DEFAULT

TEXT_KIND = next(kind for kind in KINDS if kind.name == "text")
LETTERS = ("", *"\n abcdefgh.")
"""A vocabulary of 12."""


def recurrent(kind: str, units: float = 8, **more: Any) -> dict[str, Any]:
    """An LSTM's, GRU's or SimpleRNN's entry."""
    config = {"units": units, "return_sequences": True, "activation": "tanh", "use_bias": True}
    if kind != "SimpleRNN":
        config["recurrent_activation"] = "sigmoid"
    return {"class_name": kind, "config": config | more}


def entries(*layers: dict[str, Any], size: int = len(LETTERS), wide: int = 6) -> list[dict[str, Any]]:
    """Some layers between an embedding and a softmax, each with a name."""
    first = {"class_name": "Embedding", "config": {"input_dim": size, "output_dim": wide}}
    last = {"class_name": "Dense", "config": {"units": size, "activation": "softmax", "use_bias": True}}
    return named([first, *layers, last])


def named(layers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Layers with a name each."""
    return [
        {**each, "config": {"name": f"layer_{number}", **each["config"]}}
        for number, each in enumerate(layers)
    ]


def write(
    path: Path,
    layers: Sequence[dict[str, Any]],
    *,
    version: str | None = "2.2.4",
    vocabulary: Sequence[str] | None = LETTERS,
    random_state: int = 0,
    **config: Any,
) -> Path:
    """Write a model of these layers, and its vocabulary beside it; the configuration is a list, as it was."""
    chance = np.random.default_rng(random_state)
    with h5py.File(path, "w") as file:
        if version is not None:
            file.attrs["keras_version"] = version
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Sequential", "config": list(layers), **config}
        )
        width = 0
        weights = file.create_group("model_weights")
        for layer in layers:
            group = weights.create_group(layer["config"]["name"])
            shapes, width = _shapes(layer, width)
            for what, shape in shapes.items():
                group[f"inner/{what}:0"] = (chance.normal(size=shape) * 0.7).astype(np.float32)
    if vocabulary is not None:
        write_vocabulary(path, vocabulary)
    return path


def small(path: Path, units: int = 16, size: int = len(DEFAULT), random_state: int = 0) -> Path:
    """Write a model of one LSTM that writes fast, without a vocabulary of its own."""
    layers = entries(recurrent("LSTM", units), size=size)
    return write(path, layers, vocabulary=None, random_state=random_state)


def write_vocabulary(model: Path, vocabulary: Sequence[str] = LETTERS) -> None:
    """Write a vocabulary beside a model."""
    model.with_suffix(".json").write_text(json.dumps({"vocabulary": list(vocabulary)}))


def growing(path: Path) -> Path:
    """Write a model whose numbers grow from character to character, until they are not finite any more."""
    write(path, entries(recurrent("SimpleRNN", activation="linear")))
    with h5py.File(path, "r+") as file:
        file["model_weights/layer_1/inner/recurrent_kernel:0"][...] = np.eye(8, dtype=np.float32) * 50
    return path


def _shapes(layer: dict[str, Any], width: int) -> tuple[dict[str, tuple[int, ...]], int]:
    kind, config = layer["class_name"], layer["config"]
    if kind == "Embedding":
        return {"embeddings": (config["input_dim"], config["output_dim"])}, config["output_dim"]
    if kind == "Dense":
        return {"kernel": (width, config["units"]), "bias": (config["units"],)}, config["units"]
    if kind not in ("LSTM", "GRU", "SimpleRNN"):
        return {}, width
    if not width:
        width = config["batch_input_shape"][-1]
    units = config["units"]
    gates = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[kind] * units
    shapes: dict[str, tuple[int, ...]] = {"kernel": (width, gates), "recurrent_kernel": (units, gates)}
    if config["use_bias"]:
        shapes["bias"] = (2, gates) if config.get("reset_after") else (gates,)
    return shapes, units
