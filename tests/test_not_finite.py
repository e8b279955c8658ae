"""Models whose outputs are not numbers, in part or wholly: real ones with damaged weights, of every kind.

No frame is lost by it, and nothing that is not finite gets out but as NaN in an animal: no crash, no point
that is none.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from inference.frame_events import event_of
from inference.messages import FrameResult, PoseOptions, Tracked, TrackingOptions
from inference.predictors.pose import PosePredictor
from inference.tracking import Tracker
from inference.video import Video

CENTROID = "minimal_instance.UNet.centroid"
CENTRED = "minimal_instance.UNet.centered_instance"
SINGLE = "minimal_robot.UNet.single_instance"
BOTTOM_UP = "minimal_instance.UNet.bottomup"
CLASSES = "min_tracks_2node.UNet.bottomup_multiclass"
TOP_DOWN_CLASSES = "min_tracks_2node.UNet.topdown_multiclass"
ROBOT, PAIR, CLIP = "small_robot.mp4", "centered_pair_small.mp4", "clip.mp4"


def poisoned(source: Path, target: Path, head: str, poison: str) -> Path:
    """A copy of a model with a damaged head: NaN everywhere, NaN and infinity by turns, or near overflow."""
    shutil.copytree(source, target)
    with h5py.File(target / "best_model.h5", "r+") as file:
        weights: list[h5py.Dataset] = []
        file["model_weights"].visititems(lambda name, one: weights.append(one) if head in name else None)
        kernels = [one for one in weights if isinstance(one, h5py.Dataset) and one.name.endswith("kernel:0")]
        assert kernels
        for kernel in kernels:
            values = kernel[()]
            if poison == "nan":
                values[:] = np.nan
            elif poison == "inf":
                values[..., 0, 0] = np.inf  # where its input is 0, that is NaN
            else:
                values = np.copysign(np.float32(3e38), values)
            kernel[...] = values
    return target


def predicted(predictor: PosePredictor, video: Path, count: int = 2):
    """The predictions of some frames, as one batch."""
    with Video(video) as opened:
        fed = [predictor.feed(frame) for frame in opened.frames(0, count)]
    layer = predictor.info.layers[-1]
    return predictor.predict(fed, PoseOptions(0.2, 0.0, layer=layer))


@pytest.mark.parametrize(
    ("damaged", "head", "others", "video", "poison"),
    [
        (SINGLE, "ConfmapsHead", [], ROBOT, "nan"),
        (SINGLE, "ConfmapsHead", [], ROBOT, "huge"),
        (BOTTOM_UP, "ConfmapsHead", [], PAIR, "inf"),
        (BOTTOM_UP, "OffsetRefinementHead", [], PAIR, "nan"),
        (BOTTOM_UP, "PartAffinityFieldsHead", [], PAIR, "inf"),
        (CENTROID, "ConfmapsHead", [CENTRED], PAIR, "nan"),
        (CENTRED, "ConfmapsHead", [CENTROID], PAIR, "inf"),
        (CLASSES, "ClassMapsHead", [], CLIP, "huge"),
        (TOP_DOWN_CLASSES, "ClassVectorsHead", [CENTROID], PAIR, "nan"),
    ],
)
def test_damaged_heads(shared_data, tmp_path, damaged, head, others, video, poison):
    sleap = shared_data / "sleap"
    model = poisoned(sleap / "models" / damaged, tmp_path / "model", head, poison)
    paths = [model, *(sleap / "models" / other for other in others)]
    predictor = PosePredictor(*paths, threads=2, allow_model_code=False)
    predictor.setup()
    tracker = Tracker(TrackingOptions())
    for number, one in enumerate(predicted(predictor, sleap / "videos" / video)):
        assert np.isfinite(one.points).all()
        tracks = tracker.follow(one.instances)
        result = FrameResult("run", number, one, None, b"", {}, 0.0)
        block = event_of(Tracked(result, predictor.info, tracks))
        told = json.loads(block.decode().split("data: ", 1)[1], parse_constant=pytest.fail)
        assert len(told["instances"]) == len(one.instances)
        if poison == "nan" and head == "ConfmapsHead":
            assert told["peak_points"] == [] and told["instances"] == []


@pytest.mark.parametrize("form", ["keras2.h5", "keras3.keras"])
def test_some_cells_that_are_not_finite_hide_no_other(tmp_path, form):
    from tests.kit import keras_models as kit

    def divides(k):
        """Its map is the picture, but NaN where that is black and infinite where it is white."""
        image = k.Input((None, None, 1))
        layers = k.layers
        white = layers.Conv2D(1, 1, name="white")
        steep = layers.Conv2D(1, 1, name="steep")
        out = layers.Add(name="confmaps")([image, steep(layers.ReLU()(white(image)))])
        model = k.Model(image, out)
        white.set_weights([np.ones((1, 1, 1, 1), np.float32), np.array([-0.9], np.float32)])
        steep.set_weights([np.full((1, 1, 1, 1), 3e38, np.float32), np.zeros(1, np.float32)])
        for _ in range(2):  # 0.1 · 3e38 · 10 is more than float32 holds
            model = k.Model(model.input, layers.Rescaling(10.0, name=f"confmaps{_}")(model.output))
        return model

    predictor = PosePredictor(kit.save(tmp_path, form, divides), threads=1, allow_model_code=False)
    predictor.setup()
    frame = np.zeros((32, 32, 1), np.uint8)
    frame[10, 20], frame[20, 8] = 255, 120
    (one,) = predictor.predict([predictor.feed(frame)], PoseOptions(0.2, 0.2))
    assert one.points.tolist() == [[8.0, 20.0]]
    assert math.isclose(one.values[0], 120 / 255 * 100, rel_tol=1e-3)
