"""Teaches the trained model which points belong together: part affinity fields beside its confidence maps.

The law of this file: what was learned before stays as it is, to the bit; only the new head learns. It looks
at two of the decoder's layers and gives, every 8 pixels, a direction for each edge of the skeleton.

    python -m sample.fields      # after sample.train: adds the fields to models/best_model.h5
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample.recording import Shot
from sample.scene import EDGES, MIRROR, Array
from sample.train import ROOT, rendered

STRIDE, REACH = 8, 6.0
"""Pixels between cells, and how far from a limb its field is felt (the sigma of a bell)."""

WIDTH = 48


def target(points: Array, size: int) -> NDArray[np.float32]:
    """The fields (h, w, 2 * edges) of animals (A, nodes, 2): each limb's direction, fading out beside it.

    Where limbs of several animals are near, the nearer one counts the more.
    """
    axis = np.arange(0, size, STRIDE, dtype=np.float32)
    cells = np.stack(np.meshgrid(axis, axis), axis=-1)
    fields = np.zeros((len(axis), len(axis), len(EDGES), 2), np.float32)
    total = np.full(fields.shape[:3], 1e-6, np.float32)
    for animal in points:
        for edge, (source, destination) in enumerate(EDGES):
            start, along = animal[source], animal[destination] - animal[source]
            length = max(float(np.hypot(*along)), 1e-3)
            unit = along / length
            share = np.clip((cells - start) @ unit, 0, length)
            apart = np.linalg.norm(cells - (start + share[..., None] * unit), axis=-1)
            bell = np.exp(-(apart**2) / (2 * REACH**2))
            fields[:, :, edge] += (bell**2)[..., None] * unit
            total[:, :, edge] += bell
    return (fields / total[..., None]).reshape(len(axis), len(axis), -1).astype(np.float32)


def head(features: list[Any], initializer: str) -> Any:
    """The new layers, on decoder features at 4 and at 8 pixels a cell."""
    from keras import layers

    fine, coarse = features
    x = layers.Concatenate(name="fields_join")([layers.MaxPooling2D(2, name="fields_pool")(fine), coarse])
    for name in ("fields_first", "fields_second"):
        x = layers.Conv2D(WIDTH, 3, padding="same", kernel_initializer=initializer, name=name)(x)
        x = layers.Activation("relu", name=f"{name}_relu")(x)
    return layers.Conv2D(2 * len(EDGES), 3, padding="same", kernel_initializer=initializer, name="pafs")(x)


def taught(base: Any, shots: list[Shot], minutes: float, batch: int) -> Any:
    """`base` with the fields, learned from `shots` for so many minutes."""
    import keras
    import tensorflow as tf

    features = [base.get_layer(name).output for name in ("last_relu", "up1_mix_relu")]
    trunk = keras.Model(base.input, features)
    trunk.trainable = False
    inputs = [keras.Input(feature.shape[1:]) for feature in features]
    learner = keras.Model(inputs, head(inputs, "glorot_uniform"))
    optimizer = keras.optimizers.Adam(2e-3)
    shots = shots + [upside_down(shot) for shot in shots]
    wishes = [target(shot.points, base.input.shape[1]) for shot in shots]
    rng, began, done, step = np.random.default_rng(1), time.monotonic(), 0.0, 0

    @tf.function
    def learn(images: Any, wish: Any) -> Any:
        seen = trunk(images, training=False)
        with tf.GradientTape() as tape:
            vectors = tf.reshape(wish, (*wish.shape[:3], -1, 2))
            off = tf.reshape(learner(seen, training=True), vectors.shape) - vectors
            # one cell in twenty is near a limb: it counts for more than floor
            weight = 1.0 + 8.0 * tf.norm(vectors, axis=-1)
            loss = tf.reduce_mean(weight * tf.reduce_sum(off**2, axis=-1))
        variables = learner.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    while done < 1:
        picked = rng.integers(0, len(shots), batch)
        images = np.stack([shots[i].frame for i in picked])[..., None].astype(np.float32) / 255
        wish = np.stack([wishes[i] for i in picked])
        optimizer.learning_rate = 2e-3 * (0.51 + 0.5 * float(np.cos(np.pi * done)))
        loss = learn(tf.constant(images), tf.constant(wish))
        done, step = (time.monotonic() - began) / 60 / minutes, step + 1
        if step % 50 == 0:
            print(f"step {step}, {100 * min(done, 1):.0f} % of the time: loss {float(loss):.4f}", flush=True)
    return joined(base, learner)


def upside_down(shot: Shot) -> Shot:
    """The mirrored frame, in which an animal's left is its right."""
    points = shot.points[:, list(MIRROR)] * [1, -1] + [0, shot.frame.shape[0] - 1]
    return Shot(np.ascontiguousarray(shot.frame[::-1]), points, shot.seen[:, list(MIRROR)])


def joined(base: Any, learner: Any) -> Any:
    """One model that gives `confmaps` and `pafs`."""
    import keras
    from keras import layers

    features = [base.get_layer(name).output for name in ("last_relu", "up1_mix_relu")]
    maps = layers.Activation("linear", name="confmaps")(base.output)
    model = keras.Model(base.input, [maps, head(features, "zeros")], name="sample_unet")
    for layer in learner.layers:
        if layer.get_weights():
            model.get_layer(layer.name).set_weights(layer.get_weights())
    return model


def main(argv: list[str] | None = None) -> int:
    """Add the fields to the sample's model."""
    parser = argparse.ArgumentParser(prog="python -m sample.fields", description=main.__doc__)
    parser.add_argument("--scenes", type=int, default=400, help="scenes to render (400)")
    parser.add_argument("--frames", type=int, default=4, help="frames of each scene (4)")
    parser.add_argument("--minutes", type=float, default=12, help="to train after rendering (12)")
    parser.add_argument("--batch", type=int, default=8, help="frames in a batch (8)")
    parser.add_argument("--threads", type=int, default=2, help="processor cores to use (2)")
    parser.add_argument("--base", type=Path, default=ROOT / "models" / "best_model.h5")
    parser.add_argument("--out", type=Path, default=ROOT / "models" / "best_model.h5")
    args = parser.parse_args(argv)
    shots = rendered(args.scenes, args.frames, args.threads)
    print(f"{len(shots)} frames rendered", flush=True)

    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(1)
    base = keras.models.load_model(args.base, compile=False)
    if isinstance(base.output, list | dict):  # fields are learned anew
        base = keras.Model(base.input, base.get_layer("maps").output)
    model = taught(base, shots, args.minutes, args.batch)
    unfinished = args.out.with_suffix(".part.h5")
    model.save(unfinished)
    unfinished.replace(args.out)
    print(json.dumps({"parameters": model.count_params(), "MB": round(args.out.stat().st_size / 1e6, 2)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
