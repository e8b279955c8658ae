"""SLEAP models against what SLEAP itself predicts: to 0.001 px and 1e-4, on its own models and videos."""

from __future__ import annotations

import csv
import shutil
import threading
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from inference.errors import FrameError, ModelError
from inference.messages import PoseOptions, PosePrediction
from inference.predictors.pose import PosePredictor
from inference.video import Video

PIXELS = 0.001
SCORE = 1e-4


@dataclass(frozen=True)
class Case:
    """A model, the video it is for, and the file of what SLEAP predicts on that."""

    model: str
    video: str
    csv: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]


SINGLE = Case(
    "minimal_robot.UNet.single_instance", "small_robot.mp4", "single_instance.csv", ("A", "B"), ((0, 1),)
)
BOTTOMUP = Case(
    "minimal_instance.UNet.bottomup", "centered_pair_small.mp4", "bottomup.csv", ("A", "B"), ((0, 1),)
)
MULTICLASS = Case(
    "min_tracks_2node.UNet.bottomup_multiclass",
    "clip.mp4",
    "multiclass_bottomup.csv",
    ("head", "thorax"),
    ((1, 0),),
)
CASES = [pytest.param(case, id=case.csv[:-4]) for case in (SINGLE, BOTTOMUP, MULTICLASS)]


def read_frames(shared_data: Path, case: Case, count: int) -> list[np.ndarray]:
    with Video(shared_data / "sleap" / "videos" / case.video) as video:
        return list(islice(video.frames(0, None), count))


def read_reference(shared_data: Path, case: Case, frames: int) -> list[dict[str, str]]:
    with (shared_data / "sleap" / "reference" / case.csv).open() as file:
        return [row for row in csv.DictReader(file) if int(row["frame"]) < frames]


def check(case: Case, predictions: list[PosePrediction], reference: list[dict[str, str]]) -> None:
    """Every point of the reference is among the peaks of its frame and node, with its score."""
    assert reference
    for row in reference:
        found = predictions[int(row["frame"])]
        mine = found.nodes == case.nodes.index(row["node"])
        apart = np.hypot(*(found.points[mine] - [float(row["x"]), float(row["y"])]).T)
        assert len(apart) > 0, row
        assert apart.min() < PIXELS, row
        assert abs(found.values[mine][apart.argmin()] - float(row["score"])) < SCORE, row


# With recorded outputs, no TensorFlow --------------------------------------------------------------


class RecordedEngine:
    """Gives back what a model once gave, and checks that it is asked for the same inputs."""

    max_stride = 1

    def __init__(self, path: Path) -> None:
        with np.load(path) as recorded:
            self.outputs = {name: recorded[name] for name in recorded if name != "input"}
            self.input = recorded["input"]
        self.output_names = tuple(self.outputs)
        self.input_shape = (None, None, self.input.shape[3])
        self.strict = False

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        if self.strict:
            np.testing.assert_allclose(batch, self.input[: len(batch)], atol=1e-6)
        return {name: value[: len(batch)] for name, value in self.outputs.items()}


def recorded_predictor(shared_data: Path, model: str) -> PosePredictor:
    engine = RecordedEngine(shared_data / "sleap" / "reference" / f"raw_{model}.npz")
    predictor = PosePredictor(
        shared_data / "sleap" / "models" / model,
        threads=1,
        allow_model_code=False,
        open_engine=lambda model, **options: engine,
    )
    predictor.setup()
    engine.strict = True
    return predictor


@pytest.mark.parametrize("case", CASES)
def test_recorded_outputs(shared_data, case):
    predictor = recorded_predictor(shared_data, case.model)
    fed = [predictor.feed(frame) for frame in read_frames(shared_data, case, 3)]
    predictions = predictor.predict(fed, PoseOptions())
    check(case, predictions, read_reference(shared_data, case, 3))
    if case is SINGLE:
        assert [one.nodes.tolist() for one in predictions] == [[0, 1]] * 3


def test_recorded_centroids(shared_data):
    predictor = recorded_predictor(shared_data, "minimal_instance.UNet.centroid")
    assert predictor.info.nodes == ("centroid",)
    (frame,) = read_frames(shared_data, BOTTOMUP, 1)
    (found,) = predictor.predict([predictor.feed(frame)], PoseOptions())
    # midway between the two keypoints of each animal, as the bottom-up model sees them
    points = {(row["instance"], row["node"]): row for row in read_reference(shared_data, BOTTOMUP, 1)}
    for animal in ("0", "1"):
        pair = [points[animal, node] for node in ("A", "B")]
        middle = [np.mean([float(row[axis]) for row in pair]) for axis in ("x", "y")]
        assert np.hypot(*(found.points - middle).T).min() < 8


def test_weaker_peaks_come_with_a_lower_floor(shared_data):
    predictor = recorded_predictor(shared_data, MULTICLASS.model)
    fed = [predictor.feed(frame) for frame in read_frames(shared_data, MULTICLASS, 1)]
    (usual,) = predictor.predict(fed, PoseOptions(0.4, 0.4))
    (more,) = predictor.predict(fed, PoseOptions(0.4, 0.01))
    assert usual.values.min() > 0.4
    strong = more.values > 0.4
    np.testing.assert_array_equal(more.points[strong], usual.points)
    weak = np.bincount(more.nodes[~strong], minlength=2)
    assert weak.sum() > 0
    assert weak.max() <= 50
    (higher_floor,) = predictor.predict(fed, PoseOptions(0.4, 0.9))
    np.testing.assert_array_equal(higher_floor.points, usual.points)


# With the real models ------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_the_first_50_frames(shared_data, case):
    predictor = PosePredictor(
        shared_data / "sleap" / "models" / case.model, threads=2, allow_model_code=False
    )
    # as in a worker: one thread loads, another predicts
    loader = threading.Thread(target=predictor.setup)
    loader.start()
    loader.join()
    assert (predictor.info.nodes, predictor.info.edges) == (case.nodes, case.edges)
    fed = [predictor.feed(frame) for frame in read_frames(shared_data, case, 50)]
    predictions = []
    for start in range(0, 50, 8):
        predictions += predictor.predict(fed[start : start + 8], PoseOptions())
    check(case, predictions, read_reference(shared_data, case, 50))
    if case is SINGLE:
        assert sum(len(one.values) for one in predictions) == len(read_reference(shared_data, case, 50))


@pytest.mark.parametrize(
    "kind", ["minimal_instance.UNet.centered_instance", "min_tracks_2node.UNet.topdown_multiclass"]
)
def test_a_model_of_crops_is_refused_alone(shared_data, kind):
    predictor = PosePredictor(shared_data / "sleap" / "models" / kind, threads=1, allow_model_code=False)
    with pytest.raises(ModelError, match="needs its centroid model"):
        predictor.setup()


def test_a_config_that_contradicts_its_model(shared_data, tmp_path):
    models = shared_data / "sleap" / "models"
    shutil.copy(models / SINGLE.model / "best_model.h5", tmp_path / "best_model.h5")
    shutil.copy(models / BOTTOMUP.model / "training_config.json", tmp_path / "training_config.json")
    with pytest.raises(
        ModelError, match="MultiInstanceConfmapsHead is needed; it has SingleInstanceConfmapsHead"
    ):
        PosePredictor(tmp_path, threads=1, allow_model_code=False).setup()


@pytest.mark.parametrize(
    "raw",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 1), np.uint8),
        np.zeros((4, 4, 1), np.float32),
    ],
    ids=["no channels", "two channels", "empty", "float"],
)
def test_what_is_no_frame(shared_data, raw):
    predictor = recorded_predictor(shared_data, SINGLE.model)
    with pytest.raises(FrameError, match="has to be uint8"):
        predictor.feed(raw)
