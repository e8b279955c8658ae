"""The figures a model is held to: peaks of its maps against the simulator's truth.

The law of this file: what counts as found is said here and nowhere else. A map cell (i, j) of stride r is
image pixel (i·r, j·r). A peak is a local maximum above a threshold, refined by the centroid of the 5×5 cells
about it. Peaks and true points of a node are paired nearest first, each once; a point without a peak within
20 px counts as infinitely far off, so that a miss weighs on the median and the 90th percentile, too.

    python -m sample.evaluate [model.h5]
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.recording import Shot, random_recording
from sample.scene import NODES, Array

THRESHOLD = 0.2
NEAR = 5.0
FAR = 20.0
HELD_OUT = 1_000_000
"""Seeds from here on are never trained on."""

Predict = Callable[[NDArray[np.uint8]], Array]
"""A frame (H, W) to confidence maps (h, w, nodes)."""


def peaks(maps: Array, stride: float, threshold: float = THRESHOLD) -> list[Array]:
    """Per node, the refined peaks (P, 3): x, y in pixels, and the score; `maps` is (h, w, nodes)."""
    found: list[Array] = []
    for k in range(maps.shape[-1]):
        plane = np.ascontiguousarray(maps[..., k], dtype=np.float32)
        padded = np.pad(plane, 2)
        ring = np.ones((3, 3), np.uint8)
        ring[1, 1] = 0
        rows, columns = np.nonzero((plane > cv2.dilate(plane, ring)) & (plane > threshold))
        here = []
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
            window = np.maximum(padded[i : i + 5, j : j + 5], 0)
            offset = np.arange(-2, 3)
            dx = float((window.sum(axis=0) * offset).sum() / window.sum())
            dy = float((window.sum(axis=1) * offset).sum() / window.sum())
            here.append(((j + dx) * stride, (i + dy) * stride, float(plane[i, j])))
        found.append(np.array(here, dtype=np.float64).reshape(-1, 3))
    return found


def paired(found: Array, truth: Array) -> tuple[Array, Array]:
    """Distances, nearest pairs first: of each peak (P,) to its point and of each point (T,) to its peak."""
    gaps = np.linalg.norm(found[:, None, :2] - truth[None], axis=-1)
    of_peak, of_point = np.full(len(found), np.inf), np.full(len(truth), np.inf)
    for flat in np.argsort(gaps, axis=None):
        p, t = divmod(int(flat), len(truth))
        if gaps[p, t] > FAR:
            break
        if np.isinf(of_peak[p]) and np.isinf(of_point[t]):
            of_peak[p] = of_point[t] = gaps[p, t]
    return of_peak, of_point


def score(predict: Predict, shots: Iterable[Shot]) -> dict[str, Any]:
    """The figures over `shots`, per node and together.

    Hidden points are not asked for, and a peak that finds one is not held against the model.
    """
    errors: list[list[float]] = [[] for _ in NODES]
    right, wrong = np.zeros(len(NODES)), np.zeros(len(NODES))
    frames = 0
    for shot in shots:
        frames += 1
        maps = predict(shot.frame)
        for k, here in enumerate(peaks(maps, shot.frame.shape[0] / maps.shape[0])):
            of_peak, of_point = paired(here, shot.points[:, k])
            errors[k] += of_point[shot.seen[:, k]].tolist()
            right[k] += np.sum(of_peak <= NEAR)
            wrong[k] += np.sum(of_peak > NEAR)
    rows = {node: _row(np.array(errors[k]), right[k], wrong[k]) for k, node in enumerate(NODES)}
    together = _row(np.concatenate([np.array(e) for e in errors]), right.sum(), wrong.sum())
    return {"frames": frames, "threshold": THRESHOLD, "near_px": NEAR, "all": together, "nodes": rows}


def _row(errors: Array, right: float, wrong: float) -> dict[str, Any]:
    def quantile(q: float) -> float | None:
        value = float(np.quantile(errors, q, method="higher")) if len(errors) else math.inf
        return round(value, 3) if math.isfinite(value) else None

    return {
        "points": len(errors),
        "median_px": quantile(0.5),
        "p90_px": quantile(0.9),
        "recall": round(float(np.mean(errors <= NEAR)), 4) if len(errors) else None,
        "precision": round(float(right / (right + wrong)), 4) if right + wrong else None,
    }


def held_out(scenes: int, frames: int = 3, first: int = HELD_OUT) -> Iterable[Shot]:
    """Shots of scenes that no model was trained on."""
    for seed in range(first, first + scenes):
        yield from random_recording(seed, frames)


GROUPED_NEAR, GROUPED_WHOLE = 8.0, 7

_COLUMNS = (("median_px", ".2f"), ("p90_px", ".2f"), ("recall", ".3f"), ("precision", ".3f"))


def table(figures: dict[str, Any]) -> str:
    """The figures as text."""
    lines = [f"{'node':12} {'points':>6} {'median px':>9} {'90 % px':>8} {'recall':>7} {'precision':>9}"]
    for name, row in [*figures["nodes"].items(), ("all", figures["all"])]:
        cells = ["-" if row[key] is None else f"{row[key]:{form}}" for key, form in _COLUMNS]
        lines.append(f"{name:12} {row['points']:6} {cells[0]:>9} {cells[1]:>8} {cells[2]:>7} {cells[3]:>9}")
    return "\n".join(lines)


def keras_predict(model: Any) -> Predict:
    """`model` (1, H, W, 1) of 0 to 1 as a function of one frame."""

    def predict(frame: NDArray[np.uint8]) -> Array:
        outputs = model(frame[None, :, :, None].astype(np.float32) / 255, training=False)
        return np.asarray(outputs[0] if isinstance(outputs, list | tuple) else outputs)[0]

    return predict


def grouping(path: Path, shots: Iterable[Shot]) -> dict[str, float]:
    """How well the model in a file groups its points into animals, by the app's own predictor.

    `animals` there are and `instances` found; of the instances' points the share `own` that lies within 8 px
    of that node of the animal most of them are of, and `others`, of another animal; the share of `whole`
    animals, of which one instance has 7 of 9 points or more.
    """
    from inference.messages import PoseOptions
    from inference.predictors.pose import PosePredictor

    predictor = PosePredictor(path, threads=2, allow_model_code=False)
    predictor.setup()
    count = {"animals": 0, "instances": 0, "points": 0, "own": 0, "others": 0, "whole": 0}
    for shot in shots:
        (found,) = predictor.predict([predictor.feed(shot.frame[..., None])], PoseOptions())
        count["animals"] += len(shot.points)
        for points in found.instances.points:
            there = np.isfinite(points[:, 0])
            near = (np.linalg.norm(shot.points - points, axis=2) < GROUPED_NEAR) & there
            own = near[near.sum(axis=1).argmax()]
            count["instances"] += 1
            count["points"] += int(there.sum())
            count["own"] += int(own.sum())
            count["others"] += int((near.any(axis=0) & ~own).sum())
            count["whole"] += bool(own.sum() >= GROUPED_WHOLE)
    shares = {name: round(count[name] / max(1, count["points"]), 4) for name in ("own", "others")}
    whole = round(count["whole"] / max(1, count["animals"]), 4)
    return {"animals": count["animals"], "instances": count["instances"], **shares, "whole": whole}


def main(argv: list[str] | None = None) -> int:
    """Print a model's figures on held-out scenes, and write them where asked."""
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(prog="python -m sample.evaluate", description=main.__doc__)
    parser.add_argument("model", nargs="?", type=Path, default=root / "models" / "best_model.h5")
    parser.add_argument("--scenes", type=int, default=60, help="held-out scenes, 3 frames each (60)")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    args = parser.parse_args(argv)
    import keras

    figures = score(keras_predict(keras.models.load_model(args.model, compile=False)), held_out(args.scenes))
    print(table(figures))
    figures["grouping"] = grouping(args.model, held_out(args.scenes))
    print(json.dumps(figures["grouping"]))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
