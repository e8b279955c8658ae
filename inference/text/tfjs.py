"""A character model as a TF.js layers model: `model.json` and shards of float32, which TF.js itself reads.

Only what TF.js computes exactly as the file means it is written. Keras 3's hard_sigmoid, which TF.js has not,
becomes Keras 2's, which it has, by other weights; characters as rows of zeros and a one become an Embedding
that gives these rows. The vocabulary stands among the model's metadata, so that a browser that keeps it needs
nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from inference import __version__
from inference.errors import InferenceError, ModelError
from inference.text import files, vocabulary
from inference.text.chain import RECURRENT, function
from inference.text.files import CharModel, TrainedLayer
from inference.text.weights import Weights

SHARD = 4 << 20
"""Bytes of a file of weights, at most: browsers keep larger ones in no cache."""

FILES = re.compile(r"model\.json|vocabulary\.json|group1-shard\d+of\d+\.bin")
"""What the files are called."""

MOST_ROWS = 4096
"""Characters that may come as rows: the Embedding for them has so many times so many numbers."""

_NARROWER = np.float32(5 / 6)
"""Keras 3's hard_sigmoid is clip(x / 6 + 0.5, 0, 1), Keras 2's clip(x / 5 + 0.5, 0, 1)."""


@dataclass(frozen=True)
class _Layer:
    """A layer as TF.js has it: its class and configuration by the names of Keras 2, and its weights."""

    kind: str
    config: dict[str, Any]
    weights: Weights


def export(model: Path, folder: Path) -> None:
    """Write the character model at a path into a folder: model.json, its shards, vocabulary.json.

    model.json comes last: where it is, the rest is. Raises ModelError if the model cannot be read or TF.js
    cannot compute it, InferenceError if the files cannot be written.
    """
    read = files.read(model)
    layers = _named(_layers(read))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.json").unlink(missing_ok=True)
        manifest = _write_weights(layers, folder)
        vocabulary.write(folder / "vocabulary.json", read.vocabulary)
        content = json.dumps(_model_json(read, layers, manifest))
        (folder / "model.json").write_text(content, encoding="utf-8")
    except OSError as error:
        raise InferenceError(f"{folder.name} cannot be written: {error.strerror}.") from error


def _layers(model: CharModel) -> Iterator[_Layer]:
    """From the ids of the characters to the probabilities of the next."""
    size = len(model.vocabulary.characters)
    if model.layers[0].kind != "Embedding":
        if size > MOST_ROWS:
            _refuse(
                model, f"it takes each of {size:,} characters as a row; up to {MOST_ROWS:,} can be written"
            )
        rows = {"input_dim": size, "output_dim": size, "trainable": False}
        yield _Layer("Embedding", rows, {"embeddings": np.eye(size, dtype=np.float32)})
    for layer in model.layers:
        yield _layer(layer, model)
    yield _Layer("Activation", {"activation": "softmax"}, {})


def _layer(layer: TrainedLayer, model: CharModel) -> _Layer:
    if layer.kind == "GRU" and _resets_behind(layer):
        _refuse(
            model, f"the reset gate of its layer {layer.name} works behind the product (reset_after is on)"
        )
    config = {key: layer.config[key] for key in _KEPT if key in layer.config}
    for key in ("activation", "recurrent_activation"):
        if layer.kind in _FUNCTIONS.get(key, ()):
            config[key] = function(layer.config.get(key))
    if layer.kind in RECURRENT:
        # of every character, so that it can be trained on whole sequences
        config["return_sequences"] = True
        # replaced as soon as it is made; the usual one takes TF.js many seconds for a large layer
        config["recurrent_initializer"] = "zeros"
    weights = layer.weights
    if not model.is_keras2 and "hard_sigmoid" in config.values():
        weights = _narrowed(layer, config, model)
    return _Layer(layer.kind, config, weights)


_KEPT = ("input_dim", "output_dim", "mask_zero", "units", "use_bias", "epsilon", "center", "scale")
"""What is the same in every Keras, and in TF.js."""
_FUNCTIONS = {
    "activation": (*RECURRENT, "Dense", "Activation"),
    "recurrent_activation": ("LSTM", "GRU"),
}
"""Which layers have which functions."""


def _resets_behind(gru: TrainedLayer) -> bool:
    bias = gru.weights.get("bias")
    return bool(gru.config.get("reset_after")) if bias is None else bias.ndim == 2


def _narrowed(layer: TrainedLayer, config: dict[str, Any], model: CharModel) -> Weights:
    """A layer's weights so that its hard_sigmoid of Keras 2 gives what they gave with Keras 3's."""
    if layer.kind != "Dense" and config["activation"] == "hard_sigmoid":
        _refuse(model, f"its layer {layer.name} has Keras 3's hard_sigmoid as its activation")
    factors = np.full((layer.weights["kernel"].shape[1] // config["units"], 1), _NARROWER)
    if layer.kind in _CANDIDATES:
        factors[_CANDIDATES[layer.kind]] = 1
    columns = np.repeat(factors, config["units"])
    return {what: values * columns for what, values in layer.weights.items()}


_CANDIDATES = {"LSTM": 2, "GRU": 2}
"""Which of a layer's products, in their order, is no gate."""


def _refuse(model: CharModel, reason: str) -> NoReturn:
    raise ModelError(
        f"{model.name} cannot run in a browser: {reason}, which TF.js does not have. It runs on the server."
    )


def _named(layers: Iterator[_Layer]) -> list[_Layer]:
    """The layers with names of ours: a file's own may be anything. The first takes texts of any length."""
    named = [
        replace(layer, config={"name": f"{layer.kind.lower()}_{number}", "trainable": True, **layer.config})
        for number, layer in enumerate(layers)
    ]
    named[0].config["batch_input_shape"] = [None, None]
    return named


def _write_weights(layers: list[_Layer], folder: Path) -> list[dict[str, Any]]:
    """Write all weights, one after the other, cut into shards; gives what model.json says of them."""
    weights = [
        (f"{layer.config['name']}/{what}", np.ascontiguousarray(values, "<f4"))
        for layer in layers
        for what, values in layer.weights.items()
    ]
    content = b"".join(values.tobytes() for _, values in weights)
    shards = [content[at : at + SHARD] for at in range(0, len(content), SHARD)]
    paths = [f"group1-shard{number}of{len(shards)}.bin" for number in range(1, len(shards) + 1)]
    for path, shard in zip(paths, shards, strict=True):
        (folder / path).write_bytes(shard)
    specs = [{"name": name, "shape": values.shape, "dtype": "float32"} for name, values in weights]
    return [{"paths": paths, "weights": specs}]


def _model_json(model: CharModel, layers: list[_Layer], manifest: list[dict[str, Any]]) -> dict[str, Any]:
    sequential = {
        "name": "characters",
        "layers": [{"class_name": layer.kind, "config": layer.config} for layer in layers],
    }
    return {
        "format": "layers-model",
        "generatedBy": f"Interactive model inference {__version__}",
        "convertedBy": None,
        "modelTopology": {
            # whose names and meanings the configuration has
            "keras_version": "2.2.4",
            "backend": "tensorflow",
            "model_config": {"class_name": "Sequential", "config": sequential},
        },
        "weightsManifest": manifest,
        "userDefinedMetadata": {
            "vocabulary": model.vocabulary.characters,
            "counts": model.vocabulary.counts,
            "text": model.vocabulary.text,
            "notes": model.notes,
        },
    }
