"""A character model computed the obvious way, to be held against: one character, one gate, one sum at a time.

float64, no table, nothing shared between texts; straight from the file that `kit.char_models` writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
}


class Reference:
    """The model of a file; `logits_of(ids)` gives those behind each of some characters."""

    def __init__(self, path: Path) -> None:
        with h5py.File(path) as file:
            config = json.loads(file.attrs["model_config"])["config"]
            layers = config["layers"] if isinstance(config, dict) else config
            self.layers = [
                (layer["class_name"], layer["config"], self._read(file, layer)) for layer in layers
            ]

    def _read(self, file: Any, layer: Any) -> dict[str, Any]:
        held: dict[str, Any] = {}
        group = file["model_weights"][layer["config"]["name"]]
        group.visititems(
            lambda name, found: (
                held.update({name.split("/")[-1].split(":")[0]: np.asarray(found, np.float64)})
                if hasattr(found, "shape")
                else None
            )
        )
        return held

    def logits_of(self, ids: list[int]) -> Iterator[Any]:
        states: dict[int, Any] = {}
        for index in ids:
            x: Any = index
            for number, (kind, config, weights) in enumerate(self.layers):
                x, states[number] = self._layer(kind, config, weights, x, states.get(number))
            yield x

    def _layer(self, kind: str, config: Any, weights: Any, x: Any, state: Any) -> tuple[Any, Any]:
        if kind == "Embedding":
            return weights["embeddings"][x], None
        if kind == "Dense":
            # without the softmax
            return weights["kernel"].T @ x + weights["bias"], None
        if kind not in ("LSTM", "GRU", "SimpleRNN"):
            return x, None
        if isinstance(x, int):
            x = np.eye(len(weights["kernel"]))[x]
        units = config["units"]
        if state is None:
            state = (np.zeros(units), np.zeros(units))
        state = getattr(self, kind.lower())(config, weights, x, *state)
        return state[0], state

    def lstm(self, config: Any, weights: Any, x: Any, h: Any, c: Any) -> Any:
        gate, out = FUNCTIONS[config["recurrent_activation"]], FUNCTIONS[config["activation"]]
        i, f, g, o = np.split(x @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights["bias"], 4)
        c = gate(f) * c + gate(i) * out(g)
        return gate(o) * out(c), c

    def gru(self, config: Any, weights: Any, x: Any, h: Any, c: Any) -> Any:
        gate, out = FUNCTIONS[config["recurrent_activation"]], FUNCTIONS[config["activation"]]
        units, bias = len(h), weights["bias"]
        own, given = (bias, 0 * bias) if bias.ndim == 1 else bias
        xz, xr, xh = np.split(x @ weights["kernel"] + own, 3)
        parts = [weights["recurrent_kernel"][:, at * units : (at + 1) * units] for at in range(3)]
        hz, hr, hh = (h @ part for part in parts)
        bz, br, bh = np.split(given, 3)
        z, r = gate(xz + hz + bz), gate(xr + hr + br)
        candidate = xh + r * (hh + bh) if bias.ndim == 2 else xh + (r * h) @ parts[2]
        return z * h + (1 - z) * out(candidate), c

    def simplernn(self, config: Any, weights: Any, x: Any, h: Any, c: Any) -> Any:
        out = FUNCTIONS[config["activation"]]
        return out(x @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights["bias"]), c
