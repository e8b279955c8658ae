"""Activation functions, in place on arrays of float32: one for each of Keras' that is understood. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Activation = Callable[[Array], None]


def linear(values: Array) -> None:
    """As they are."""


def tanh(values: Array) -> None:
    """Hyperbolic tangent."""
    np.tanh(values, out=values)


def sigmoid(values: Array) -> None:
    """1 / (1 + exp(-x)); far below 0 it overflows on the way, and is 0."""
    np.negative(values, out=values)
    np.exp(values, out=values)
    np.add(values, 1, out=values)
    np.reciprocal(values, out=values)


def hard_sigmoid_of_keras2(values: Array) -> None:
    """clip(0.2 x + 0.5, 0, 1)."""
    np.multiply(values, np.float32(0.2), out=values)
    np.add(values, np.float32(0.5), out=values)
    np.maximum(values, 0, out=values)
    np.minimum(values, 1, out=values)


def hard_sigmoid_of_keras3(values: Array) -> None:
    """relu6(x + 3) / 6."""
    np.add(values, 3, out=values)
    np.maximum(values, 0, out=values)
    np.minimum(values, 6, out=values)
    np.divide(values, 6, out=values)


def relu(values: Array) -> None:
    """max(x, 0)."""
    np.maximum(values, 0, out=values)


def elu(values: Array) -> None:
    """exp(x) - 1 below 0."""
    np.copyto(values, np.expm1(np.minimum(values, 0)), where=values < 0)


def softplus(values: Array) -> None:
    """log(1 + exp(x))."""
    np.logaddexp(values, 0, out=values)


def softsign(values: Array) -> None:
    """x / (1 + |x|)."""
    np.divide(values, np.abs(values) + 1, out=values)


def softmax(values: Array) -> None:
    """Along the last axis."""
    values -= values.max(axis=-1, keepdims=True)
    np.exp(values, out=values)
    values /= values.sum(axis=-1, keepdims=True)


KERAS3: Mapping[str, Activation] = {
    "linear": linear,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "hard_sigmoid": hard_sigmoid_of_keras3,
    "relu": relu,
    "elu": elu,
    "softplus": softplus,
    "softsign": softsign,
    "softmax": softmax,
}
"""By their names; what they mean in Keras 3."""

KERAS2: Mapping[str, Activation] = {**KERAS3, "hard_sigmoid": hard_sigmoid_of_keras2}
"""What they mean in Keras 2."""
