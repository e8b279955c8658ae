"""Whether a model may be computed less exactly: tried on frames of the user's own video before it serves.

`fast` and `int8` cost points, and how much depends on the model. So the model predicts some frames both ways,
and a model whose predictions do not agree closely enough (`agreement.py`) is refused, with the figures. For
int8 it is calibrated first, on other frames of the same video. The outcome is kept in the cache, by model,
video and precision. `vet` has a process of its own do it: what calibrates is heavy, and workers need it not.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from inference import agreement
from inference.agreement import Agreement
from inference.catalog import key_of, video_key
from inference.engines import Engine, Image, Outputs, choice, converted
from inference.engines.converted import Cache
from inference.errors import ModelError, VideoError
from inference.messages import Frame, PoseOptions, PosePrediction
from inference.model_files import StoredModel
from inference.predictors.pose import PosePredictor
from inference.settings import Settings, available_cores
from inference.video import Video

log = logging.getLogger(__name__)

FRAMES = 192
"""Frames that are looked at; every third calibrates, the others check."""
STRETCH = 4
"""So many of them follow each other: to find each by itself would take longer."""
FRAMES_BYTES = 256 * 1024**2
"""Of large frames, fewer are looked at, so that they take no more memory than this."""
MOST_IMAGES = 200
"""Images that one network is calibrated on."""

_VERDICT = "verdict.json"
_BATCH = Settings().batch_size
_OPTIONS = PoseOptions(threshold=agreement.SEEN, floor=agreement.SEEN)


@dataclass(frozen=True)
class Sample:
    """Frames of one video, spread over it, of (width, height) `size`."""

    calibration: list[Frame]
    check: list[Frame]
    size: tuple[int, int]


def sample(video: Path) -> Sample:
    """Frames from all over a video, of one that breaks off from its beginning; VideoError if it has none."""
    frames: list[Frame] = []
    with Video(video) as opened:
        count = max(3, min(FRAMES, FRAMES_BYTES // opened.frame_bytes))
        for start, stop in _stretches(opened, count):
            try:
                frames += opened.frames(start, stop)
            except VideoError:
                break
        size = (opened.width, opened.height)
    calibration = frames[::3]
    check = [frame for position, frame in enumerate(frames) if position % 3] or frames
    return Sample(calibration, check, size)


def _stretches(video: Video, count: int) -> Iterator[tuple[int, int]]:
    """Ranges of frames; one alone where frames are few, or cannot be found but by reading up to them."""
    total = video.n_frames or 0
    if total <= count or not video.seekable:
        yield 0, count
        return
    # the number of frames may be an estimate: the very end is left alone
    for start in np.linspace(0, 0.98 * total - STRETCH, max(1, count // STRETCH)).astype(int).tolist():
        yield start, start + STRETCH


def predict(predictor: PosePredictor, frames: Sequence[Frame]) -> list[PosePrediction]:
    """The predictions of some frames, as they are compared; in batches as the app makes them."""
    found: list[PosePrediction] = []
    for start in range(0, len(frames), _BATCH):
        fed = [predictor.feed(frame) for frame in frames[start : start + _BATCH]]
        found += predictor.predict(fed, _OPTIONS)
    return list(map(_no_surer_than_animals, found)) if predictor.is_top_down else found


def _no_surer_than_animals(found: PosePrediction) -> PosePrediction:
    """No point scores more than its crop's centroid: with a weak one, a whole animal comes and goes."""
    animals = found.instances
    there = np.isfinite(animals.values)
    values = np.minimum(animals.values, animals.scores[:, None])
    nodes = np.broadcast_to(np.arange(there.shape[1]), there.shape)
    return dataclasses.replace(found, points=animals.points[there], values=values[there], nodes=nodes[there])


class Tried:
    """A model opened one way and ready to predict; `engines` are its networks by their files' hashes."""

    def __init__(
        self, paths: Sequence[Path], open_engine: Callable[..., Engine], threads: int, allow_model_code: bool
    ) -> None:
        self.engines: dict[str, _Recorder] = {}

        def record(model: StoredModel, **options: Any) -> Engine:
            self.engines[converted.model_hash(model)] = recorder = _Recorder(open_engine(model, **options))
            return recorder

        self.predictor = PosePredictor(
            *paths, threads=threads, allow_model_code=allow_model_code, open_engine=record
        )
        self.predictor.setup()


class _Recorder:
    """An engine that keeps the images it is given, while it is told to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.recording = False
        self.images: list[Image] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, images: Sequence[Image]) -> Iterator[Outputs]:
        """As the engine does."""
        if self.recording:
            self.images += [image.copy() for image in images]
        return self._engine.run(images)


def open_calibrated(cache: Cache, folder: Path, precision: str) -> Callable[..., Engine]:
    """What opens a stored model at `fast`, or at `int8` as it was calibrated into a folder."""
    if precision == "fast":
        return partial(choice.open_openvino, cache, lambda step: None, precision=precision)

    def open_int8(model: StoredModel, *, threads: int, any_size: bool, allow_model_code: bool) -> Engine:
        from inference.engines.openvino import OpenVINOEngine

        return OpenVINOEngine(folder / converted.model_hash(model), threads=threads, precision=precision)

    return open_int8


def calibrate(exact: Tried, frames: Sequence[Frame], folder: Path) -> None:
    """Write each network of a model, calibrated to 8 bits, into a folder of its own; or a ModelError."""
    from inference.engines.calibration import calibrate as calibrate_network

    for recorder in exact.engines.values():
        recorder.images.clear()
        recorder.recording = True
    predict(exact.predictor, frames)
    for name, recorder in exact.engines.items():
        recorder.recording = False
        images = recorder.images
        if not images:
            raise ModelError(
                "int8 has to be calibrated on animals, and the model found none in this video. "
                "Start with --precision exact."
            )
        calibrate_network(recorder.folder, images[:: -(-len(images) // MOST_IMAGES)], folder / name)


def vet(
    paths: Sequence[Path],
    video: Path,
    precision: str,
    *,
    cache: Cache,
    allow_model_code: bool,
    tell: Callable[[str], None],
) -> Path:
    """The folder to open a model from (see `open_calibrated`); ModelError, with figures, if it is refused."""
    folder, found, frames = tried(
        paths, video, precision, cache=cache, allow_model_code=allow_model_code, tell=tell
    )
    if not found.is_close:
        name = " + ".join(path.name for path in paths)
        raise ModelError(
            f"{name} is not served at {precision}: {why_not(found)}, on {frames} frames of {video.name}. "
            "Start with --precision exact; `python -m inference doctor` shows what each costs."
        )
    return folder


def tried(
    paths: Sequence[Path],
    video: Path,
    precision: str,
    *,
    cache: Cache,
    allow_model_code: bool,
    tell: Callable[[str], None],
) -> tuple[Path, Agreement, int]:
    """The outcome of a model's trial, from the cache or made now: folder, agreement, frames it is of."""
    from inference.engines.openvino import abilities

    machine = f"{platform.machine()} {sorted(abilities())}"
    key = converted.key(precision, key_of(paths), video_key(video), machine)

    def make(folder: Path) -> None:
        verb = "calibrating and checking" if precision == "int8" else "checking"
        tell(f"{verb} it at {precision} on frames of {video.name}, which takes a while the first time")
        order = {
            "paths": [str(path.absolute()) for path in paths],
            "video": str(video.absolute()),
            "precision": precision,
            "allow_model_code": allow_model_code,
            "cache": [str(cache.folder.absolute()), cache.most_bytes],
        }
        converted.run("inference.vetting", folder, order)

    return cache.opened(key, make, _outcome)


def _outcome(folder: Path) -> tuple[Path, Agreement, int]:
    """What `tried` gives; OSError or ValueError if a file is not as it was."""
    verdict = json.loads((folder / _VERDICT).read_text())
    for name, size in verdict["files"].items():
        if (folder / name).stat().st_size != size:
            raise ValueError(f"{name} has another size")
    return folder, Agreement(**verdict["agreement"]), verdict["frames"]


def why_not(found: Agreement) -> str:
    """What is wrong with a model that does not agree closely enough with its exact self."""
    if found.peaks == 0:
        return f"no peak above {agreement.SCORE} was found, so that nothing can be compared"
    wrong = []
    if not found.median <= agreement.MOST_SHIFT:
        wrong.append(
            f"half of the points are off by {found.median:.2f} px or more ({agreement.MOST_SHIFT} is allowed)"
        )
    if not found.differing <= agreement.MOST_DIFFERING:
        wrong.append(
            f"{found.differing:.1%} of the peaks above {agreement.SCORE} are in one of the two only "
            f"({agreement.MOST_DIFFERING:.0%} is allowed)"
        )
    return " and ".join(wrong)


def main(folder: Path) -> int:
    """Try a model as the order in a folder says, and leave the outcome there; gives the exit status."""
    with converted.ordered(folder) as order:
        cache = Cache(Path(order["cache"][0]), order["cache"][1])
        paths = [Path(path) for path in order["paths"]]
        options = {"threads": available_cores(), "allow_model_code": order["allow_model_code"]}
        frames = sample(Path(order["video"]))
        exact = Tried(paths, choice.opener("openvino", cache, lambda step: None), **options)
        if order["precision"] == "int8":
            calibrate(exact, frames.calibration, folder)
        tried = Tried(paths, open_calibrated(cache, folder, order["precision"]), **options)
        found = agreement.compare(
            predict(exact.predictor, frames.check), predict(tried.predictor, frames.check), frames.size
        )
        made = {
            str(file.relative_to(folder)): file.stat().st_size
            for file in folder.rglob("*")
            if file.is_file() and file.name != converted.ORDER
        }
        verdict = {"agreement": dataclasses.asdict(found), "frames": len(frames.check), "files": made}
        (folder / _VERDICT).write_text(json.dumps(verdict))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
