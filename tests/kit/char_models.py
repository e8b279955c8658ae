"""Small real character models, as Keras 2 wrote them into HDF5, made without TensorFlow.

Their weights are random but the same each time: what they write makes no sense, and they write it fast.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from inference.settings import KINDS
from inference.text.vocabulary import DEFAULT

TEXT_KIND = next(kind for kind in KINDS if kind.name == "text")


def write(path: Path, *, units: int = 16, size: int = len(DEFAULT), spread: float = 2.0) -> Path:
    """An embedding, an LSTM of so many units, a softmax over `size` characters; a wider `spread` is surer."""
    rng = np.random.default_rng(units)
    layers: list[tuple[str, dict[str, Any], dict[str, tuple[int, ...]]]] = [
        ("Embedding", {"input_dim": size, "output_dim": 8}, {"embeddings": (size, 8)}),
        (
            "LSTM",
            {
                "units": units,
                "activation": "tanh",
                "recurrent_activation": "sigmoid",
                "use_bias": True,
                "return_sequences": True,
            },
            {"kernel": (8, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)},
        ),
        (
            "Dense",
            {"units": size, "activation": "softmax", "use_bias": True},
            {"kernel": (units, size), "bias": (size,)},
        ),
    ]
    config, order = [], []
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.4.0"
        file.attrs["backend"] = "tensorflow"
        group = file.create_group("model_weights")
        for kind, said, weights in layers:
            name = kind.lower()
            first = {"batch_input_shape": [None, None]} if kind == "Embedding" else {}
            config.append({"class_name": kind, "config": {"name": name, "dtype": "float32", **first, **said}})
            order.append(name.encode())
            inner = group.create_group(name)
            names = [f"{name}/{weight}:0" for weight in weights]
            inner.attrs["weight_names"] = [one.encode() for one in names]
            for one, shape in zip(names, weights.values(), strict=True):
                inner[one] = rng.normal(0, spread / np.sqrt(shape[0]), shape).astype(np.float32)
        group.attrs["layer_names"] = order
        whole = {"class_name": "Sequential", "config": {"name": "sequential", "layers": config}}
        file.attrs["model_config"] = json.dumps(whole)
    return path
