"""The network of the sample, and what it is taught with.

The law of this file: a plain Keras model that takes bytes / 255 and gives one confidence map per node, the
crops and targets it learns from, and the file it is written to. Apart from the two command lines nothing else
in this package imports Keras or TensorFlow.

Crops of 192 × 192 pixels about an animal are trained on, and the finished weights are put into a model of the
whole 384 × 384: an empty floor teaches little, so that a crop costs a quarter and gives nearly as much.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from sample.recording import Shot
from sample.scene import EDGES, MIRROR, NODES, SIZE, Array

CROP, STRIDE, SIGMA = 192, 4, 4.0
"""Pixels: a side of the crops, between map cells, and the width of the target's peaks."""

CALM = 1.2
"""Taken off the finished maps' logits: the loss weighs peaks up to five times, which makes doubtful ones too
sure. Chosen on 24 scenes of their own (seeds from 900,000): precision there rose from 0.89 to 0.96, recall
fell from 0.97 to 0.96."""

IGNORED = -1.0
"""In a target: whatever the model says here, about a hidden point, is neither right nor wrong."""


def build(size: int, folded: bool = False) -> keras.Model:
    """The network for size × size images.

    `folded` leaves the batch normalisation out: its factors stand in the convolutions, which is what ships.
    """

    # A trained model's kernels are put in afterwards, and an older Keras 3 cannot read how a newer one writes
    # the usual initializer down; it can read zeros.
    kernels = "zeros" if folded else "glorot_uniform"

    def conv(x: Any, filters: int, kernel: int = 3, stride: int = 1, name: str = "") -> Any:
        x = layers.Conv2D(
            filters, kernel, stride, "same", use_bias=folded, kernel_initializer=kernels, name=name
        )(x)
        if not folded:
            x = layers.BatchNormalization(name=f"{name}_norm")(x)
        return layers.Activation("relu", name=f"{name}_relu")(x)

    image = keras.Input((size, size, 1), name="image")
    x = conv(image, 12, 5, 2, "stem")
    x = conv(x, 16, name="fine")
    skips = []
    for level, filters in enumerate((32, 48, 64, 80)):
        x = conv(x, filters, stride=2, name=f"down{level}")
        x = conv(x, filters, name=f"down{level}_more")
        skips.append(x)
    x = conv(skips.pop(), 80, name="bottom")
    for level, skip in reversed(list(enumerate(skips))):
        x = conv(x, skip.shape[-1], 1, name=f"up{level}_thin")
        x = layers.UpSampling2D(interpolation="nearest", name=f"up{level}")(x)
        x = layers.Add(name=f"up{level}_join")([x, skip])
        x = conv(x, skip.shape[-1], name=f"up{level}_mix")
    x = conv(x, 32, name="last")
    # Most of a map is 0: starting there saves the first hundred steps.
    start = keras.initializers.Constant(-4.0)
    maps = layers.Conv2D(
        len(NODES), 1, activation="sigmoid", kernel_initializer=kernels, bias_initializer=start, name="maps"
    )(x)
    return keras.Model(image, maps, name="sample_unet")


def fold(learned: keras.Model, size: int = SIZE) -> keras.Model:
    """The same function without batch normalisation and with calmer maps, for size × size images."""
    model = build(size, folded=True)
    for layer in model.layers:
        if not isinstance(layer, layers.Conv2D):
            continue
        source = learned.get_layer(layer.name)
        if layer.name == "maps":
            kernel, bias = source.get_weights()
            layer.set_weights([kernel, bias - CALM])
            continue
        norm = learned.get_layer(f"{layer.name}_norm")
        gamma, beta, mean, variance = norm.get_weights()
        factor = gamma / np.sqrt(variance + norm.epsilon)
        layer.set_weights([source.get_weights()[0] * factor, beta - mean * factor])
    return model


def flops(model: keras.Model) -> int:
    """Multiplications and additions of one image's convolutions."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            _, high, wide, _ = layer.output.shape
            total += 2 * high * wide * int(np.prod(layer.kernel.shape))
    return total


def targets(points: Array, seen: NDArray[np.bool_], size: int = CROP) -> NDArray[np.float32]:
    """Gaussian peaks (h, w, nodes) at `points` (A, nodes, 2) in pixels; cell (i, j) is pixel (4i, 4j)."""
    axis = np.arange(0, size, STRIDE, dtype=np.float32)
    bell = np.exp(-((points[..., None] - axis) ** 2) / (2 * SIGMA**2)).astype(np.float32)
    maps = bell[:, :, 1, :, None] * bell[:, :, 0, None, :]  # (A, nodes, h, w)
    target = (maps * seen[..., None, None]).max(axis=0)
    hidden = (maps * ~seen[..., None, None]).max(axis=0)
    target[(hidden > 0.1) & (target < hidden)] = IGNORED
    return np.ascontiguousarray(target.transpose(1, 2, 0))


def loss(target: Any, maps: Any) -> Any:
    """Cross entropy that heeds peaks more than floor: one cell in a hundred has a peak near it."""
    weight = tf.where(target < 0, 0.0, 1.0 + 4.0 * target)
    wish = tf.clip_by_value(target, 0.0, 1.0)
    maps = tf.clip_by_value(maps, 1e-6, 1 - 1e-6)
    entropy = -(wish * tf.math.log(maps) + (1 - wish) * tf.math.log(1 - maps))
    return 100.0 * tf.reduce_mean(weight * entropy)


class Crops(keras.utils.PyDataset):  # type: ignore[misc]
    """Endless random crops: turned, mirrored, scaled, and of other brightness."""

    def __init__(self, shots: list[Shot], batch: int, steps: int, seed: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self._shots, self._batch, self._steps, self._seed = shots, batch, steps, seed
        self._epoch = 0

    def __len__(self) -> int:
        return self._steps

    def on_epoch_end(self) -> None:
        """Other crops in the next epoch."""
        self._epoch += 1

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = np.random.default_rng([self._seed, self._epoch, index])
        picked = rng.integers(0, len(self._shots), self._batch)
        pairs = [self._crop(self._shots[i], rng) for i in picked]
        images = np.stack([image for image, _ in pairs])[..., None]
        return images, np.stack([target for _, target in pairs])

    def _crop(self, shot: Shot, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mirrored, zoom = rng.random() < 0.5, 1.0
        if rng.random() < 0.5:  # quarter turns keep the noise as the sensor made it
            angle = float(rng.integers(0, 4) * np.pi / 2)
        else:
            angle, zoom = rng.uniform(-np.pi, np.pi), float(np.exp(rng.uniform(-0.14, 0.14)))
        c, s = zoom * np.cos(angle), zoom * np.sin(angle)
        turn = np.array([[c, -s], [s, c]])
        if mirrored:
            turn = turn @ np.array([[-1.0, 0.0], [0.0, 1.0]])
        centre = shot.points[rng.integers(len(shot.points)), 1] + rng.uniform(-80, 80, 2)
        shift = np.round((CROP - 1) / 2 - turn @ centre) if zoom == 1.0 else (CROP - 1) / 2 - turn @ centre
        matrix = np.concatenate([turn, shift[:, None]], axis=1)
        fill = int(rng.integers(0, 255))
        image = cv2.warpAffine(shot.frame, matrix, (CROP, CROP), borderValue=(fill,)).astype(np.float32) / 255
        gamma, gain = np.exp(rng.uniform(-0.35, 0.35)), np.exp(rng.uniform(-0.3, 0.2))
        image = np.clip(image**gamma * gain + rng.uniform(-0.06, 0.06), 0, 1)
        points, seen = shot.points @ turn.T + shift, shot.seen
        if mirrored:
            points, seen = points[:, list(MIRROR)], seen[:, list(MIRROR)]
        return image.astype(np.float32), targets(points, seen)


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends the training after `minutes`, the learning rate falling as they run out; writes after every epoch.

    Time and not steps: how long it takes is what one plans with, whatever else the machine does meanwhile.
    """

    def __init__(self, minutes: float, highest: float, path: Path) -> None:
        super().__init__()
        self._minutes, self._highest, self._path = minutes, highest, path
        self._began = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Set the learning rate: a short rise, then a half cosine down to nearly nothing."""
        done = min((time.monotonic() - self._began) / 60 / self._minutes, 1.0)
        rise = min(done / 0.03 + 0.05, 1.0)
        fall = 0.503 + 0.5 * float(np.cos(np.pi * done))
        self.model.optimizer.learning_rate = self._highest * rise * fall
        if done >= 1:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write, so that a stopped training leaves a model."""
        save(self.model, self._path)


def trained(shots: list[Shot], minutes: float, batch: int, rate: float, path: Path) -> keras.Model:
    """A model that learned from `shots` for so many minutes, written to `path` and returned as written."""
    keras.utils.set_random_seed(1)
    model = build(CROP)
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    crops = Crops(shots, batch, steps=100, seed=1)
    model.fit(crops, epochs=10_000, callbacks=[Clock(minutes, rate, path)], verbose=2)
    return save(model, path)


def save(learned: keras.Model, path: Path) -> keras.Model:
    """Write what ships: the folded model without the optimizer's state, and its words beside it."""
    model = fold(learned)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.h5")
    model.save(unfinished)
    unfinished.replace(path)
    words = {"nodes": list(NODES), "edges": [list(edge) for edge in EDGES]}
    path.with_suffix(".json").write_text(json.dumps(words, indent=1) + "\n")
    return model
