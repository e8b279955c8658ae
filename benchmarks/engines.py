"""The engine alone, in a process of its own: what the app is measured against.

`python -m benchmarks.engines naive|bare MODEL VIDEO FRAMES THREADS` reads the video's frames once, then
makes one measurement for every line on stdin, and prints its frames/s. `naive` is Keras' `model.predict`,
a frame at a time; `bare` is the app's own engine with nothing around it, with the batch size that it was
found to do best with. Decoding, preparing and peaks are not counted in either.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from inference.engines.tensorflow import TensorFlowEngine
from inference.model_files import inspect
from inference.predictors.pose import PosePredictor
from inference.video import Video

BATCHES = (1, 2, 4, 8, 16)
Images = list[np.ndarray]
Measure = Callable[[Images], None]


def main() -> None:
    """Answer every line on stdin with one figure."""
    way, model, video, count = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    threads = int(sys.argv[5])
    images = _inputs(model, video, count, threads)
    measure, note = _naive(model, images) if way == "naive" else _bare(model, images, threads)
    print(note, flush=True)
    for _ in sys.stdin:
        print(_rate(measure, images), flush=True)


def _inputs(model: Path, video: Path, count: int, threads: int) -> Images:
    predictor = PosePredictor(model, threads=threads, allow_model_code=False)
    predictor.setup()
    with Video(video) as opened:
        return [predictor.feed(frame).image for frame in itertools.islice(opened.frames(0, None), count)]


def _naive(model: Path, images: Images) -> tuple[Measure, str]:
    import keras
    import tf_keras

    stored = inspect(model)
    library: Any = tf_keras if "KERAS2" in stored.format.name else keras
    loaded = library.models.load_model(str(stored.path), compile=False)

    def measure(frames: Images) -> None:
        for frame in frames:
            loaded.predict(frame[np.newaxis], verbose=0)

    measure(images[:10])
    return measure, "model.predict, a frame at a time"


def _bare(model: Path, images: Images, threads: int) -> tuple[Measure, str]:
    stored = inspect(model)
    engine = TensorFlowEngine(stored, threads=threads, any_size=stored.sleap_config is not None)

    def of(batch: int) -> Measure:
        def measure(frames: Images) -> None:
            for first in range(0, len(frames), batch):
                engine.run(np.stack(frames[first : first + batch]))

        return measure

    trial = images[:48]
    for batch in BATCHES:
        of(batch)(trial[:batch])
    rates = {batch: statistics.median(_rate(of(batch), trial) for _ in range(3)) for batch in BATCHES}
    best = max(rates, key=lambda batch: rates[batch])
    return of(best), f"batches of {best}"


def _rate(measure: Measure, images: Images) -> float:
    began = time.perf_counter()
    measure(images)
    return len(images) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
