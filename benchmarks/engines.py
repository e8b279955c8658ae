"""Engines alone, in a process of their own: what the app is measured against.

`python -m benchmarks.engines WAY VIDEO FRAMES THREADS MODEL...` prepares everything, then makes one
measurement for every line on stdin, and prints its frames/s. WAY `naive` is Keras' `model.predict`, a frame
at a time. Any other is an engine and a precision, such as `openvino,int8`: the app's own engine with
nothing around it, given the very images that the app gives it for these frames (for a top-down pair, wholes
and crops). Decoding, preparing and peaks are not counted in any.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from inference import vetting
from inference.engines import choice
from inference.engines.converted import Cache
from inference.messages import PoseOptions
from inference.model_files import inspect
from inference.settings import Settings
from inference.vetting import Tried
from inference.video import Video

Images = list[np.ndarray]
Measure = Callable[[], None]
SETTINGS = Settings()
OPTIONS = PoseOptions(max_instances=2)


def main() -> None:
    """Answer every line on stdin with one figure."""
    way, video, count, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    models = sorted(map(Path, sys.argv[5:]))
    with Video(video) as opened:
        frames = list(itertools.islice(opened.frames(0, None), count))
    if way == "naive":
        measure = _naive(models[0], frames)
    else:
        engine, _, precision = way.partition(",")
        measure = _bare(engine, precision, models, video, frames, threads)
    measure()
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        measure()
        print(len(frames) / (time.perf_counter() - began), flush=True)


def _naive(model: Path, frames: Images) -> Measure:
    import keras
    import tf_keras

    tried = Tried([model], choice.open_tensorflow, 2, False)
    images = [tried.predictor.feed(frame).image[np.newaxis] for frame in frames]
    stored = inspect(model)
    library: Any = tf_keras if "KERAS2" in stored.format.name else keras
    loaded = library.models.load_model(str(stored.path), compile=False)

    def measure() -> None:
        for image in images:
            loaded.predict(image, verbose=0)

    return measure


def _bare(
    engine: str, precision: str, models: list[Path], video: Path, frames: Images, threads: int
) -> Measure:
    cache = Cache(SETTINGS.cache, SETTINGS.cache_bytes)
    open_engine = choice.opener(engine, cache, lambda step: None)
    if precision != "exact":
        folder, _, _ = vetting.tried(
            models, video, precision, cache=cache, allow_model_code=False, tell=lambda step: None
        )
        open_engine = vetting.open_calibrated(cache, folder, precision)
    tried = Tried(models, open_engine, threads, False)
    engines = list(tried.engines.values())
    for one in engines:
        one.images.clear()
        one.recording = True
    for start in range(0, len(frames), SETTINGS.batch_size):
        batch = [tried.predictor.feed(frame) for frame in frames[start : start + SETTINGS.batch_size]]
        tried.predictor.predict(batch, OPTIONS)
    work = [(one, one.images) for one in engines]
    for one in engines:
        one.recording = False

    def measure() -> None:
        for one, images in work:
            for _ in one.run(images):
                pass

    return measure


if __name__ == "__main__":
    main()
