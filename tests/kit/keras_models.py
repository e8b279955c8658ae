"""Tiny real models of every format, whose maps are known: each map cell picks one pixel of the input.

Importing this imports TensorFlow, so tests import it inside the fixtures that need it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras


def picking(k: Any, *, size=(None, None), stride: int = 1, channels: int = 1, nodes: int = 1) -> Any:
    """A model of Keras `k` whose map cell (i, j) is input pixel (i * stride, j * stride); of colour, red."""
    image = k.Input((*size, channels), name="image")
    layer = k.layers.Conv2D(nodes, 1, strides=stride, use_bias=False, name="confmaps")
    model = k.Model(image, layer(image))
    kernel = np.zeros((1, 1, channels, nodes), np.float32)
    kernel[0, 0, 0] = 1
    layer.set_weights([kernel])
    return model


def hourglass(k: Any, depth: int, channels: int = 1) -> Any:
    """A model of free size that halves its input `depth` times and comes back, with shortcuts.

    It runs only on multiples of 2 ** depth. Beside it a branch that pools to one cell.
    """
    image = k.Input((None, None, channels))
    x, shortcuts = image, []
    for _ in range(depth):
        shortcuts.append(x)
        x = k.layers.MaxPooling2D(2)(x)
    for shortcut in reversed(shortcuts):
        x = k.layers.Concatenate()([k.layers.UpSampling2D(2)(x), shortcut])
    scale = k.layers.GlobalAveragePooling2D(keepdims=True)(x)
    return k.Model(image, k.layers.Conv2D(2, 3, padding="same")(k.layers.Multiply()([x, scale])))


def save(folder: Path, form: str, make) -> Path:
    """Save what `make(keras)` gives in one of `kit.engines.FORMATS`, and name the file or folder."""
    k = tf_keras if form.startswith("keras2") else keras
    k.utils.set_random_seed(1)  # weights that are not set are the same each time
    model = make(k)
    path = folder / form
    with warnings.catch_warnings():
        # the formats are old and the lambda functions unsafe: that is what is wanted here
        warnings.simplefilter("ignore", UserWarning)
        _save(model, path, form)
    return path


def _save(model, path: Path, form: str) -> None:
    if form == "keras3_saved_model":
        model.export(path, verbose=False)
    elif form == "keras2_saved_model":
        model.save(path, save_format="tf")
    else:
        model.save(path)


def writes(marker: Path) -> Any:
    """A function for a Lambda layer that leaves a file behind when it runs."""
    name = str(marker)
    return lambda x: (__import__("pathlib").Path(name).write_text(""), x)[1]


def with_lambda(k: Any, marker: Path, depth: int = 0) -> Any:
    """A model with such a Lambda layer, inside so many nested models."""
    image = k.Input((8, 8, 1))
    x = k.layers.Lambda(writes(marker))(image)
    model = k.Model(image, k.layers.Conv2D(1, 1)(x))
    for _ in range(depth):
        outer = k.Input((8, 8, 1))
        model = k.Model(outer, model(outer))
    return model


def with_lambda_activation(k: Any) -> Any:
    """A model whose activation is a lambda function."""
    image = k.Input((8, 8, 1))
    return k.Model(image, k.layers.Conv2D(1, 1, activation=lambda x: x * 2)(image))


def with_function(function) -> Any:
    """A Keras 2 model with a TensorFlow function as a layer (TFOpLambda)."""
    image = tf_keras.Input((8, 8, 1))
    return tf_keras.Model(image, function(image))


def saved_model(folder: Path, serves=lambda image: image, begins=None) -> Path:
    """A SavedModel whose signature is a function of an image, and one to be run when it is loaded."""

    class Begins(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc]
        def _create_resource(self):
            return tf.raw_ops.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64)

        @tf.function(input_signature=[], autograph=False)
        def _initialize(self):
            return begins()

    class Model(tf.Module):  # type: ignore[misc]
        def __init__(self):
            super().__init__()
            self.scale = tf.Variable(1.0)
            self.begins = begins and Begins()

        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 1), name="image")], autograph=False)
        def __call__(self, image):
            return {"confmaps": self.scale * serves(image)}

    model = Model()
    path = folder / "model"
    tf.saved_model.save(model, str(path), signatures=model.__call__)
    return path
