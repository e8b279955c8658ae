"""Trains the shipped model on simulated recordings.

The law of this file: the command line and the order of things; everything the model knows comes from
`sample.recording`.

    python -m sample.train      # renders, trains, writes models/best_model.h5 and .json, prints the figures

TensorFlow is imported only after rendering, whose processes import this file again and have no use for it.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2

from sample.evaluate import held_out, keras_predict, score, table
from sample.recording import Shot, random_recording

ROOT = Path(__file__).resolve().parent.parent


def _render(job: tuple[int, int]) -> list[Shot]:
    seed, frames = job
    cv2.setNumThreads(1)
    return list(random_recording(seed, frames))


def rendered(scenes: int, frames: int, processes: int, first: int = 0) -> list[Shot]:
    """`frames` shots of each of `scenes` scenes."""
    jobs = [(seed, frames) for seed in range(first, first + scenes)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        shots: list[Shot] = []
        for done, some in enumerate(pool.map(_render, jobs, chunksize=8), 1):
            shots += some
            if done % 100 == 0:
                print(f"{done} of {scenes} scenes rendered", flush=True)
        return shots


def main(argv: list[str] | None = None) -> int:
    """Train the sample's model and print its figures on scenes it never saw."""
    parser = argparse.ArgumentParser(prog="python -m sample.train", description=main.__doc__)
    parser.add_argument("--scenes", type=int, default=700, help="scenes to render (700)")
    parser.add_argument("--frames", type=int, default=4, help="frames of each scene (4)")
    parser.add_argument("--minutes", type=float, default=19, help="to train after rendering (19)")
    parser.add_argument("--batch", type=int, default=32, help="crops in a batch (32)")
    parser.add_argument("--rate", type=float, default=3e-3, help="the highest learning rate (0.003)")
    parser.add_argument("--threads", type=int, default=2, help="processor cores to use (2)")
    parser.add_argument("--out", type=Path, default=ROOT / "models" / "best_model.h5")
    parser.add_argument("--figures", type=Path, default=ROOT / "sample" / "figures.json")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)

    began = time.monotonic()
    shots = rendered(args.scenes, args.frames, args.threads)
    print(f"{len(shots)} frames rendered in {time.monotonic() - began:.0f} s", flush=True)

    import tensorflow as tf

    from sample import network

    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print(f"training for {args.minutes:g} minutes", flush=True)
    model = network.trained(shots, args.minutes, args.batch, args.rate, args.out)
    figures = score(keras_predict(model), held_out(60))
    figures["gflop_per_frame"] = round(network.flops(model) / 1e9, 2)
    figures["parameters"] = model.count_params()
    args.figures.write_text(json.dumps(figures, indent=1) + "\n")
    print(table(figures))
    print(f"{figures['gflop_per_frame']} GFLOP a frame, {args.out.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
