"""Recurrent layers, one step at a time, for some texts at once. Pure.

A cell is bound to the part of the texts' memory that is its own, which it then changes with every step, and
works in arrays that are its own too: nothing is allocated per step. The input's product with the kernel,
bias included, is made by whoever steps: of a first layer it is the row of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from inference.text.activations import Activation, Array
from inference.text.files import TrainedLayer

Step = Callable[[Array], None]
"""Takes the inputs' products, (texts, gates × units), and steps the memory on."""


class Cell(Protocol):
    """A recurrent layer. `kernel` and `bias` are for the inputs' products; `memory` its floats for each text.

    The first `units` of them are its output.
    """

    units: int
    memory: int
    kernel: Array
    bias: Array

    def bind(self, memory: Array) -> Step:
        """What makes a step, for the texts whose memory this is, (texts, `memory`)."""


class LSTM:
    """Long short-term memory: output and carry. The candidate is put behind the three gates."""

    def __init__(self, layer: TrainedLayer, known: Mapping[str, Activation]) -> None:
        self.units = layer.weights["recurrent_kernel"].shape[0]
        self.memory = 2 * self.units
        order = np.arange(4 * self.units).reshape(4, -1)[[0, 1, 3, 2]].ravel()
        self.kernel = np.ascontiguousarray(layer.weights["kernel"][:, order])
        self._recurrent = np.ascontiguousarray(layer.weights["recurrent_kernel"][:, order])
        self.bias = _bias(layer, 4 * self.units)[order]
        self._activation, self._gate = _functions(layer, known)

    def bind(self, memory: Array) -> Step:
        """As `Cell.bind`."""
        units = self.units
        output, carry = memory[:, :units], memory[:, units:]
        products = np.empty((len(memory), 4 * units), np.float32)
        gates, candidate = products[:, : 3 * units], products[:, 3 * units :]
        enters, stays, leaves = (gates[:, at * units : (at + 1) * units] for at in range(3))
        squashed = np.empty((len(memory), units), np.float32)
        recurrent, activation, gate = self._recurrent, self._activation, self._gate

        def step(inputs: Array) -> None:
            np.dot(output, recurrent, out=products)
            np.add(products, inputs, out=products)
            gate(gates)
            activation(candidate)
            np.multiply(carry, stays, out=carry)
            np.multiply(candidate, enters, out=candidate)
            np.add(carry, candidate, out=carry)
            np.copyto(squashed, carry)
            activation(squashed)
            np.multiply(squashed, leaves, out=output)

        return step


class GRU:
    """Gated recurrent unit: update, reset, candidate; the reset gate before or behind the product."""

    def __init__(self, layer: TrainedLayer, known: Mapping[str, Activation]) -> None:
        self.units = self.memory = layer.weights["recurrent_kernel"].shape[0]
        self.kernel = layer.weights["kernel"]
        self._recurrent = layer.weights["recurrent_kernel"]
        bias = _bias(layer, 3 * self.units)
        has_two = bias.ndim == 2
        self._reset_after = has_two or bool(layer.config.get("reset_after"))
        self.bias = bias[0] if has_two else bias
        self._recurrent_bias = bias[1] if has_two else np.zeros(3 * self.units, np.float32)
        self._activation, self._gate = _functions(layer, known)

    def bind(self, memory: Array) -> Step:
        """As `Cell.bind`."""
        return self._bind_after(memory) if self._reset_after else self._bind_before(memory)

    def _bind_after(self, memory: Array) -> Step:
        units, recurrent, bias = self.units, self._recurrent, self._recurrent_bias
        activation, gate = self._activation, self._gate
        products = np.empty((len(memory), 3 * units), np.float32)
        gates, candidate = products[:, : 2 * units], products[:, 2 * units :]
        update, reset = gates[:, :units], gates[:, units:]

        def step(inputs: Array) -> None:
            np.dot(memory, recurrent, out=products)
            np.add(products, bias, out=products)
            np.add(gates, inputs[:, : 2 * units], out=gates)
            gate(gates)
            np.multiply(candidate, reset, out=candidate)
            np.add(candidate, inputs[:, 2 * units :], out=candidate)
            activation(candidate)
            _blend(memory, update, candidate)

        return step

    def _bind_before(self, memory: Array) -> Step:
        units, activation, gate = self.units, self._activation, self._gate
        for_gates, for_candidate = (
            np.ascontiguousarray(self._recurrent[:, part])
            for part in (slice(2 * units), slice(2 * units, None))
        )
        gates = np.empty((len(memory), 2 * units), np.float32)
        candidate, kept = np.empty((2, len(memory), units), np.float32)
        update, reset = gates[:, :units], gates[:, units:]

        def step(inputs: Array) -> None:
            np.dot(memory, for_gates, out=gates)
            np.add(gates, inputs[:, : 2 * units], out=gates)
            gate(gates)
            np.multiply(memory, reset, out=kept)
            np.dot(kept, for_candidate, out=candidate)
            np.add(candidate, inputs[:, 2 * units :], out=candidate)
            activation(candidate)
            _blend(memory, update, candidate)

        return step


def _blend(memory: Array, update: Array, candidate: Array) -> None:
    """update × memory + (1 - update) × candidate, into the memory."""
    np.multiply(memory, update, out=memory)
    np.subtract(1, update, out=update)
    np.multiply(candidate, update, out=candidate)
    np.add(memory, candidate, out=memory)


class SimpleRNN:
    """A layer whose output is its memory."""

    def __init__(self, layer: TrainedLayer, known: Mapping[str, Activation]) -> None:
        self.units = self.memory = layer.weights["recurrent_kernel"].shape[0]
        self.kernel = layer.weights["kernel"]
        self._recurrent = layer.weights["recurrent_kernel"]
        self.bias = _bias(layer, self.units)
        self._activation, _ = _functions(layer, known)

    def bind(self, memory: Array) -> Step:
        """As `Cell.bind`."""
        recurrent, activation = self._recurrent, self._activation
        products = np.empty((len(memory), self.units), np.float32)

        def step(inputs: Array) -> None:
            np.dot(memory, recurrent, out=products)
            np.add(products, inputs, out=memory)
            activation(memory)

        return step


CELLS: Mapping[str, Callable[[TrainedLayer, Mapping[str, Activation]], Cell]] = {
    "LSTM": LSTM,
    "GRU": GRU,
    "SimpleRNN": SimpleRNN,
}
"""By what Keras calls them."""


def _bias(layer: TrainedLayer, width: int) -> Array:
    return layer.weights.get("bias", np.zeros(width, np.float32))


def _functions(layer: TrainedLayer, known: Mapping[str, Activation]) -> tuple[Activation, Activation]:
    return known[layer.function("activation")], known[layer.function("recurrent_activation")]
