"""Trains a character model with Keras 3: its layers, its steps, its file.

The law of this file: all of training that needs TensorFlow, and nothing that a terminal sees. Beside
`engines/` it is the only place that imports TensorFlow, and only the command that trains imports it.

The text is read in streams, a row each, and the network's memory is carried from window to window, so that
it learns from further back than a window is long; it begins anew with each epoch, and for each validation.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean as mean
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

from inference.errors import ModelError
from inference.training.corpus import Ids, Streams
from inference.training.shapes import CELLS, Shape, Weights

# Keras would have HDF5 files be a thing of the past; they are what is asked for here
logging.getLogger("absl").setLevel(logging.ERROR)

_RECENT = 50
"""Steps that the loss is told of while it falls."""
_HEAD = 1 << 16
"""Bytes of a model's file beside its weights, at most."""

_CURVES = ("train", "validation")


@dataclass(frozen=True)
class Steps:
    """How it is trained: the share of values dropped between layers, the norm that gradients are cut to,
    the learning rate, and the rows of a batch."""

    drop: float
    clip_norm: float
    learning_rate: float
    rows: int


def _network(shape: Shape, drop: float, batch: tuple[int | None, int | None], stateful: bool) -> Any:
    layers = keras.layers
    parts = [
        keras.Input(batch_shape=batch, dtype="int32"),
        layers.Embedding(shape.characters, shape.embedding),
    ]
    for _ in range(shape.layers):
        # TF.js computes no other GRU
        more = {"reset_after": False} if shape.cell == "gru" else {}
        cell = getattr(layers, CELLS[shape.cell])(
            shape.units, return_sequences=True, stateful=stateful, **more
        )
        parts += [layers.Dropout(drop), cell]
    parts += [layers.Dropout(drop), layers.Dense(shape.characters, activation="softmax")]
    return keras.Sequential(parts)


class Trainer:
    """A network in training."""

    def __init__(self, shape: Shape, steps: Steps, weights: Weights | None = None) -> None:
        """With new weights, or with those of a checkpoint; ModelError if the memory does not suffice."""
        self.shape = shape
        self._drop = steps.drop
        with _memory():
            self._model = _network(shape, steps.drop, (steps.rows, None), stateful=True)
        if weights is not None:
            self._model.set_weights(weights)
        self._model.compile(
            keras.optimizers.RMSprop(steps.learning_rate, global_clipnorm=steps.clip_norm),
            keras.losses.SparseCategoricalCrossentropy(),
            # compiled by XLA, a step took seven times as long on a processor
            jit_compile=False,
        )

    @property
    def weights(self) -> Weights:
        """All weights, as they are now."""
        weights: Weights = self._model.get_weights()
        return weights

    def epoch(self, text: Streams, done: Callable[[int, float], None]) -> float:
        """Train on all windows; gives their mean loss (nats a character).

        `done` is told after each window how many characters it had, and the loss lately. ModelError if
        the memory does not suffice.
        """
        self._forget()
        losses = []
        with _memory():
            for ids, following in text:
                losses.append(self._loss(self._model.train_on_batch, ids, following))
                done(ids.size, mean(losses[-_RECENT:]))
        return mean(losses)

    def validate(self, text: Streams) -> float:
        """The mean loss (nats a character) on a text, with nothing dropped."""
        self._forget()
        return mean(self._loss(self._model.test_on_batch, ids, following) for ids, following in text)

    def save(self, path: Path) -> None:
        """Write the model, for any number of texts of any length; OSError."""
        # made anew, it has no optimizer that would be written, too
        model = _network(self.shape, self._drop, (None, None), stateful=False)
        model.set_weights(self.weights)
        # where the disk is full, HDF5 takes the whole program down: what does not fit is found here
        path.write_bytes(bytes(_HEAD + sum(one.nbytes for one in self.weights)))
        model.save(path)

    def _loss(self, step: Callable[..., Any], ids: Ids, following: Ids) -> float:
        # some releases of Keras give the mean of all steps since the last reset, others this step's alone
        self._model.reset_metrics()
        return float(step(ids, following))

    def _forget(self) -> None:
        for layer in self._model.layers:
            if isinstance(layer, keras.layers.RNN):
                layer.reset_state()


@contextmanager
def _memory() -> Iterator[None]:
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise ModelError(
            "This machine has not enough memory for such a network: a smaller --rnn-size, --batch-size or "
            "--seq-len needs less."
        ) from error


def seed(random_state: int) -> None:
    """Let every random number that Keras and TensorFlow draw from now on follow from this one."""
    keras.utils.set_random_seed(random_state)


class Board:
    """What TensorBoard reads: the losses of training and of validation, by epoch, in two folders."""

    def __init__(self, folder: Path) -> None:
        self._writers = {name: tf.summary.create_file_writer(str(folder / name)) for name in _CURVES}
        self._scalar = tf.compat.v1.SummaryMetadata(
            plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        )

    def write(self, epoch: int, loss: float, validation: float) -> None:
        """An epoch's losses (nats a character)."""
        for name, value in zip(_CURVES, (loss, validation), strict=True):
            with self._writers[name].as_default():
                # summary.scalar would need the package tensorboard
                tf.summary.write("loss", tf.constant(value), step=epoch, metadata=self._scalar)
            self._writers[name].flush()
