"""SLEAP models against what SLEAP itself predicts, on its own files: the same animals, to 0.001 px."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from inference.engines import Image, Outputs
from inference.errors import FrameError, ModelError
from inference.messages import Instances, ModelInfo, PoseOptions, PosePrediction
from inference.peaks import local_peaks
from inference.predictors.pose import PosePredictor
from inference.predictors.stages import Stages
from inference.video import Video

PIXELS = 0.001
SCORE = 1e-4


@dataclass(frozen=True)
class Case:
    """A model or a pair, the video it is for, and the file of what SLEAP predicts on that."""

    models: tuple[str, ...]
    video: str
    csv: str
    info: ModelInfo
    pixels: float = PIXELS
    score: float = SCORE

    @property
    def model(self) -> str:
        """The only one."""
        (model,) = self.models
        return model


BOTH, ONE = ("confmaps", "pafs"), ("confmaps",)
CENTROID = "minimal_instance.UNet.centroid"
SINGLE = Case(
    ("minimal_robot.UNet.single_instance",),
    "small_robot.mp4",
    "single_instance.csv",
    ModelInfo(("A", "B"), ((0, 1),), layers=ONE),
)
BOTTOMUP = Case(
    ("minimal_instance.UNet.bottomup",),
    "centered_pair_small.mp4",
    "bottomup.csv",
    ModelInfo(("A", "B"), ((0, 1),), many=True, layers=BOTH),
)
MULTICLASS = Case(
    ("min_tracks_2node.UNet.bottomup_multiclass",),
    "clip.mp4",
    "multiclass_bottomup.csv",
    ModelInfo(("head", "thorax"), ((1, 0),), classes=("female", "male"), many=True, layers=ONE),
)
TOPDOWN = Case(
    (CENTROID, "minimal_instance.UNet.centered_instance"),
    "centered_pair_small.mp4",
    "topdown.csv",
    ModelInfo(("A", "B"), ((0, 1),), many=True, layers=ONE),
    pixels=0.01,
    score=1e-3,
)
MULTICLASS_TOPDOWN = Case(
    ("min_tracks_2node.UNet.topdown_multiclass", CENTROID),  # in the other order
    "clip.mp4",
    "multiclass_topdown.csv",
    ModelInfo(("head", "thorax"), ((1, 0),), classes=("female", "male"), many=True, layers=ONE),
    pixels=0.01,
    score=1e-3,
)
ALL = [
    pytest.param(case, id=case.csv[:-4])
    for case in (SINGLE, BOTTOMUP, MULTICLASS, TOPDOWN, MULTICLASS_TOPDOWN)
]
CASES = ALL[:3]
"""Those whose outputs were recorded."""


def read_frames(shared_data: Path, case: Case, count: int) -> list[np.ndarray]:
    with Video(shared_data / "sleap" / "videos" / case.video) as video:
        return list(islice(video.frames(0, None), count))


@dataclass
class Animal:
    """One of SLEAP's instances: points and scores by node."""

    track: str
    score: float
    points: dict[str, tuple[float, float, float]]


def read_reference(shared_data: Path, case: Case, frames: int) -> list[list[Animal]]:
    """SLEAP's animals, frame by frame."""
    found: list[dict[str, Animal]] = [{} for _ in range(frames)]
    with (shared_data / "sleap" / "reference" / case.csv).open() as file:
        for row in csv.DictReader(file):
            if int(row["frame"]) >= frames:
                continue
            new = Animal(row["track"], float(row["instance_score"]), {})
            animal = found[int(row["frame"])].setdefault(row["instance"], new)
            if not math.isnan(float(row["x"])):
                animal.points[row["node"]] = (float(row["x"]), float(row["y"]), float(row["score"]))
    assert any(found)
    return [list(animals.values()) for animals in found]


def check(case: Case, predictions: list[PosePrediction], reference: list[list[Animal]]) -> None:
    """The same animals in every frame, each with the same nodes in the same places, with the same scores."""
    for frame, (found, animals) in enumerate(zip(predictions, reference, strict=True)):
        left = list(range(len(found.instances)))
        assert len(left) == len(animals), f"frame {frame}"
        for animal in animals:
            index = min(left, key=lambda i: difference(case, found.instances, i, animal))
            assert difference(case, found.instances, index, animal) < case.pixels, (frame, animal)
            left.remove(index)
            for node, (_, _, score) in animal.points.items():
                mine = found.instances.values[index, case.info.nodes.index(node)]
                assert abs(mine - score) < case.score, (frame, animal)
            if case is not MULTICLASS_TOPDOWN:
                assert abs(found.instances.scores[index] - animal.score) < case.score, (frame, animal)


def difference(case: Case, instances: Instances, index: int, animal: Animal) -> float:
    """The farthest point, in px; infinite where other nodes were found, or another individual."""
    there = np.isfinite(instances.points[index, :, 0])
    nodes = {node for node, seen in zip(case.info.nodes, there, strict=True) if seen}
    name = case.info.classes[instances.classes[index]] if instances.classes[index] >= 0 else ""
    if nodes != set(animal.points) or name != animal.track:
        return math.inf
    return max(
        math.dist(instances.points[index, case.info.nodes.index(node)], point[:2])
        for node, point in animal.points.items()
    )


# With recorded outputs, no TensorFlow --------------------------------------------------------------


class RecordedEngine:
    """Gives back what a model once gave, and checks that it is asked for the same inputs."""

    name = "recorded"
    max_stride = 1

    def __init__(self, path: Path) -> None:
        with np.load(path) as recorded:
            self.outputs = {name: recorded[name] for name in recorded if name != "input"}
            self.input = recorded["input"]
        self.output_names = tuple(self.outputs)
        self.input_shape = (None, None, self.input.shape[3])
        self.strict = False

    def run(self, images: Sequence[Image]) -> Iterator[Outputs]:
        for position, image in enumerate(images):
            if self.strict:
                np.testing.assert_allclose(image, self.input[position], atol=1e-6)
            yield {name: value[position] for name, value in self.outputs.items()}


def recorded_predictor(shared_data: Path, model: str) -> PosePredictor:
    engine = RecordedEngine(shared_data / "sleap" / "reference" / f"raw_{model}.npz")
    predictor = PosePredictor(
        shared_data / "sleap" / "models" / model,
        threads=1,
        allow_model_code=False,
        open_engine=lambda *model, **options: engine,
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
    # with a lower floor there are more peaks, and the same animals
    lower = predictor.predict(fed, PoseOptions(floor=0.01))
    check(case, lower, read_reference(shared_data, case, 3))
    if case is not SINGLE:
        assert sum(len(one.values) for one in lower) > sum(len(one.values) for one in predictions)
    else:
        assert [one.nodes.tolist() for one in predictions] == [[0, 1]] * 3


def test_recorded_centroids(shared_data):
    predictor = recorded_predictor(shared_data, "minimal_instance.UNet.centroid")
    assert predictor.info.nodes == ("centroid",)
    (frame,) = read_frames(shared_data, BOTTOMUP, 1)
    (found,) = predictor.predict([predictor.feed(frame)], PoseOptions())
    assert len(found.instances) == len(found.points)
    np.testing.assert_array_equal(found.instances.points[:, 0], found.points)
    # midway between the two keypoints of each animal, as the bottom-up model sees them
    for animal in read_reference(shared_data, BOTTOMUP, 1)[0]:
        middle = np.mean([animal.points["A"][:2], animal.points["B"][:2]], axis=0)
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


def opened(shared_data: Path, *models: str, open_engine: Any = None) -> PosePredictor:
    paths = [shared_data / "sleap" / "models" / model for model in models]
    return PosePredictor(*paths, threads=2, allow_model_code=False, open_engine=open_engine)


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
@pytest.mark.parametrize("case", ALL)
def test_the_first_50_frames(shared_data, case, engine, open_engine):
    predictor = opened(shared_data, *case.models, open_engine=open_engine(engine))
    # as in a worker: one thread loads, another predicts
    loader = threading.Thread(target=predictor.setup)
    loader.start()
    loader.join()
    assert dataclasses.replace(predictor.info, engine="") == case.info
    assert predictor.info.engine.lower().startswith(engine)
    fed = [predictor.feed(frame) for frame in read_frames(shared_data, case, 50)]
    predictions = []
    for start in range(0, 50, 8):
        predictions += predictor.predict(fed[start : start + 8], PoseOptions())
    check(case, predictions, read_reference(shared_data, case, 50))
    if case is MULTICLASS_TOPDOWN:
        check_scores_of_centroids(predictor, fed[0], predictions[0], read_reference(shared_data, case, 1)[0])
    elif case is TOPDOWN:
        check_options(predictor, fed[0], predictions[0])


def check_scores_of_centroids(predictor, fed, found, animals) -> None:
    """SLEAP gives its animals the first centroids' scores, whoever's they are; here each has its own."""
    network = predictor._method._centroids
    maps = next(network.run([fed.whole.image], Stages())).confmaps
    scores = local_peaks(maps, 0.2).values
    assert [animal.score for animal in animals] == pytest.approx(scores[: len(animals)].tolist(), abs=1e-3)
    for score in found.instances.scores:
        assert np.abs(scores - score).min() < 1e-6
    assert found.instances.scores.tolist() != pytest.approx(scores[: len(animals)].tolist(), abs=1e-3)


def check_options(predictor, fed, found) -> None:
    """What a pair can be asked for."""
    (one,) = predictor.predict([fed], PoseOptions(max_instances=1))
    assert one.instances.scores.tolist() == [found.instances.scores.max()]
    (none,) = predictor.predict([fed], PoseOptions(refinement="none"))
    cells = none.points[np.isfinite(none.points[:, 0])]
    assert len(cells) and np.abs(none.points - found.points).max() > 0.01
    (drawn,) = predictor.predict([fed], PoseOptions(layer="confmaps"))
    assert drawn.layer.png.startswith(b"\x89PNG")
    assert drawn.layer.left == -1 and drawn.layer.width >= 384
    (empty,) = predictor.predict([fed], PoseOptions(threshold=5.0, floor=5.0, layer="confmaps"))
    assert len(empty.instances) == len(empty.points) == 0


@pytest.mark.parametrize("refinement", ["integral", "local", "none"])
def test_a_refinement_that_is_asked_for_by_name_ignores_the_offset_head(shared_data, refinement):
    predictor = recorded_predictor(shared_data, BOTTOMUP.model)
    (frame,) = read_frames(shared_data, BOTTOMUP, 1)
    fed = [predictor.feed(frame)]
    (by_head,), (asked,) = (
        predictor.predict(fed, PoseOptions()),
        predictor.predict(fed, PoseOptions(refinement=refinement)),
    )
    assert np.abs(by_head.points - asked.points).max() > 1e-3
    cells = asked.points / 2
    if refinement == "none":
        np.testing.assert_array_equal(cells, cells.round())
    elif refinement == "local":
        assert set(np.abs(cells - cells.round()).ravel()) <= {0.0, 0.25}
    assert len(asked.instances) == len(by_head.instances)


def test_max_instances_keeps_the_best(shared_data):
    predictor = recorded_predictor(shared_data, BOTTOMUP.model)
    fed = [predictor.feed(frame) for frame in read_frames(shared_data, BOTTOMUP, 1)]
    (whole,), (best,) = (
        predictor.predict(fed, PoseOptions()),
        predictor.predict(fed, PoseOptions(max_instances=1)),
    )
    assert len(whole.instances) == 2
    assert best.instances.scores.tolist() == [whole.instances.scores.max()]
    np.testing.assert_array_equal(best.points, whole.points)


def test_layers_are_made_only_when_they_are_asked_for(shared_data):
    predictor = recorded_predictor(shared_data, BOTTOMUP.model)
    fed = [predictor.feed(frame) for frame in read_frames(shared_data, BOTTOMUP, 1)]
    assert predictor.predict(fed, PoseOptions())[0].layer is None
    for layer in ("confmaps", "pafs"):
        (found,) = predictor.predict(fed, PoseOptions(layer=layer))
        picture = cv2.imdecode(np.frombuffer(found.layer.png, np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture.shape[2] == 4
        assert found.layer.width == found.layer.height == 384
        assert picture[..., 3].max() > 150
        assert (picture[..., 3] < 50).mean() > 0.8


@pytest.mark.parametrize(
    "kind", ["minimal_instance.UNet.centered_instance", "min_tracks_2node.UNet.topdown_multiclass"]
)
def test_a_model_of_crops_is_refused_alone(shared_data, kind):
    predictor = PosePredictor(shared_data / "sleap" / "models" / kind, threads=1, allow_model_code=False)
    with pytest.raises(ModelError, match="needs its centroid model"):
        predictor.setup()


PAIRS = [
    ((CENTROID, CENTROID), r"of the kind centroid and .* of the kind centroid"),
    ((CENTROID, BOTTOMUP.model), "of the kind centroid and .* of the kind multi_instance"),
    ((SINGLE.model, TOPDOWN.models[1]), "of the kind single_instance and .* of the kind centered_instance"),
]


@pytest.mark.parametrize(("models", "said"), PAIRS, ids=["twice centroid", "bottom-up", "single"])
def test_a_pair_of_the_wrong_kinds_is_refused(shared_data, models, said):
    with pytest.raises(ModelError, match=f"have to be a centroid model and a centered_instance.*{said}"):
        opened(shared_data, *models).setup()


def changed(shared_data: Path, model: str, into: Path, change) -> Path:
    """A copy of a model with a changed configuration."""
    copy = Path(shutil.copytree(shared_data / "sleap" / "models" / model, into / "model"))
    config = json.loads((copy / "training_config.json").read_text())
    change(config)
    (copy / "training_config.json").write_text(json.dumps(config))
    return copy


def test_a_missing_config_is_said(shared_data, tmp_path):
    copy = Path(shutil.copytree(shared_data / "sleap" / "models" / BOTTOMUP.model, tmp_path / "model"))
    (copy / "training_config.json").unlink()
    with pytest.raises(
        ModelError, match=r"is a SLEAP model .*MultiInstanceConfmapsHead.*its training_config.json is missing"
    ):
        PosePredictor(copy, threads=1, allow_model_code=False).setup()


@pytest.mark.parametrize(
    ("model", "change", "said"),
    [
        (
            BOTTOMUP.model,
            lambda c: c["model"]["heads"]["multi_instance"]["confmaps"].update(part_names=["A", "B", "C"]),
            r"names 3 nodes \(A, B, C\), but the confidence map of .* has 2 channels",
        ),
        (
            BOTTOMUP.model,
            lambda c: c["model"]["heads"]["multi_instance"]["pafs"].update(edges=[["A", "B"], ["B", "A"]]),
            "names 2 edges, so PartAffinityFieldsHead.* needs 4 channels; it has 2",
        ),
        (
            MULTICLASS.model,
            lambda c: c["model"]["heads"]["multi_class_bottomup"]["class_maps"].update(classes=["only"]),
            "names 1 classes, so ClassMapsHead.* needs 1 channels; it has 2",
        ),
    ],
    ids=["nodes", "edges", "classes"],
)
def test_a_config_whose_numbers_are_others_than_the_outputs(shared_data, tmp_path, model, change, said):
    copy = changed(shared_data, model, tmp_path, change)
    with pytest.raises(ModelError, match=said):
        PosePredictor(copy, threads=1, allow_model_code=False).setup()


def test_a_crop_size_is_needed(shared_data, tmp_path):
    copy = changed(
        shared_data,
        TOPDOWN.models[1],
        tmp_path,
        lambda c: c["data"]["instance_cropping"].update(crop_size=None),
    )
    with pytest.raises(ModelError, match=r"has no crop_size, which a centered_instance model needs"):
        PosePredictor(
            shared_data / "sleap" / "models" / CENTROID, copy, threads=1, allow_model_code=False
        ).setup()


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
