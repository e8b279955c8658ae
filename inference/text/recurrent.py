"""A character model as a network in NumPy: from each character's id to the logits of the next. Pure.

float32, as it was trained. What happens to each character before the first recurrent layer, that layer's
product with its kernel included, is the same whenever it comes: it is a table with a row for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from inference.text import activations
from inference.text.activations import Activation, Array
from inference.text.cells import CELLS, Cell
from inference.text.files import CharModel, TrainedLayer

Ids = npt.NDArray[np.int64]

Plain = Callable[[Array], Array]
"""A layer without memory: (texts, width) to (texts, another width), a new array."""


class Network:
    """A character model, ready to be stepped."""

    def __init__(self, model: CharModel) -> None:
        known = activations.KERAS2 if model.is_keras2 else activations.KERAS3
        self.vocabulary = model.vocabulary.characters
        self.cells: list[Cell] = []
        self.between: list[list[Plain]] = [[]]
        """The layers without memory that stand before each cell, and behind the last one."""
        self.skips_unknown = bool(model.layers[0].config.get("mask_zero"))
        rows = None
        for layer in model.layers:
            if layer.kind == "Embedding":
                rows = layer.weights["embeddings"]
            elif layer.kind in CELLS:
                self.cells.append(CELLS[layer.kind](layer, known))
                self.between.append([])
            else:
                self.between[-1].append(_plain(layer, known))
        first = self.cells[0]
        if rows is None and not self.between[0]:
            # a row of zeros and a one takes a row of the kernel
            self.table = first.kernel + first.bias
        else:
            rows = np.eye(len(self.vocabulary), dtype=np.float32) if rows is None else rows
            self.table = through(self.between[0], rows) @ first.kernel + first.bias

    @property
    def memory(self) -> int:
        """How many float32 a text's state is."""
        return sum(cell.memory for cell in self.cells)


class Steps:
    """Some texts that are written together: each step feeds every one of them a character.

    `memory` (texts, network.memory) float32, contiguous, is theirs, and changes with every step.
    """

    def __init__(self, network: Network, memory: Array) -> None:
        self._network = network
        self._memory = memory
        self._steps, self._outputs, self._products = [], [], []
        start = 0
        for cell in network.cells:
            own = memory[:, start : start + cell.memory]
            self._steps.append(cell.bind(own))
            self._outputs.append(own[:, : cell.units])
            self._products.append(np.empty((len(memory), cell.kernel.shape[1]), np.float32))
            start += cell.memory

    def feed(self, ids: Ids) -> None:
        """Make one step with each text's next character, (texts,)."""
        network = self._network
        skipped = ids == 0 if network.skips_unknown else None
        kept = self._memory.copy() if skipped is not None and skipped.any() else None
        self._steps[0](network.table[ids])
        for at in range(1, len(network.cells)):
            cell, products = network.cells[at], self._products[at]
            np.dot(through(network.between[at], self._outputs[at - 1]), cell.kernel, out=products)
            np.add(products, cell.bias, out=products)
            self._steps[at](products)
        if kept is not None:
            self._memory[skipped] = kept[skipped]

    def logits(self) -> Array:
        """What the network says of each text's next character, (texts, characters), a new array."""
        return through(self._network.between[-1], self._outputs[-1])


def through(layers: list[Plain], values: Array) -> Array:
    """What some layers make of values, one after the other; the values themselves if there are none."""
    for layer in layers:
        values = layer(values)
    return values


def _plain(layer: TrainedLayer, known: Mapping[str, Activation]) -> Plain:
    held = layer.weights
    match layer.kind:
        case "Dense":
            return _dense(held["kernel"], held.get("bias"), known[layer.function()])
        case "LayerNormalization":
            return _normalization(layer)
        case "BatchNormalization":
            spread = np.sqrt(held["moving_variance"] + np.float32(layer.config.get("epsilon", 1e-3)))
            scale = held.get("gamma", np.float32(1)) / spread
            shift = held.get("beta", np.float32(0)) - held["moving_mean"] * scale
            return lambda values: values * scale + shift
    return _activated(known["softmax" if layer.kind == "Softmax" else layer.function()])


def _dense(kernel: Array, bias: Array | None, activation: Activation) -> Plain:
    def dense(values: Array) -> Array:
        products: Array = np.dot(values, kernel)
        if bias is not None:
            np.add(products, bias, out=products)
        activation(products)
        return products

    return dense


def _activated(activation: Activation) -> Plain:
    def activated(values: Array) -> Array:
        found = values.copy()
        activation(found)
        return found

    return activated


def _normalization(layer: TrainedLayer) -> Plain:
    gamma, beta = (layer.weights.get(name, np.float32(one)) for name, one in (("gamma", 1), ("beta", 0)))
    epsilon = np.float32(layer.config.get("epsilon", 1e-3))

    def normalized(values: Array) -> Array:
        centred = values - values.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        found: Array = centred / np.sqrt(variance + epsilon) * gamma + beta
        return found

    return normalized
