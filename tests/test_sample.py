"""The shipped sample: the simulator says the truth, and the shipped model finds it in the shipped video."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from inference.messages import PoseOptions
from inference.predictors.pose import PosePredictor
from sample import fields, make_video
from sample.evaluate import (
    FAR,
    NEAR,
    Predict,
    grouping,
    held_out,
    keras_predict,
    paired,
    peaks,
    score,
)
from sample.recording import Shot, random_recording
from sample.render import Camera, Look
from sample.scene import EDGES, MIRROR, NODES, SIZE, Arena, Scene

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "best_model.h5"
FAR_APART = Arena(x=191.5, y=191.5, radius=180.0, corner=180.0)


def bells(points: np.ndarray, stride: int, side: int = SIZE) -> np.ndarray:
    """Ideal maps (h, w, nodes) of `points` (A, nodes, 2): cell (i, j) of stride r is pixel (i·r, j·r)."""
    ys, xs = np.mgrid[0:side:stride, 0:side:stride]
    squared = (xs - points[..., 0, None, None]) ** 2 + (ys - points[..., 1, None, None]) ** 2
    return np.exp(-squared / (2 * 4.0**2)).max(axis=0).transpose(1, 2, 0)


def logits(maps: np.ndarray) -> np.ndarray:
    return np.log(maps / (1 - maps))


def test_a_seed_gives_the_same_frames_and_truth_again() -> None:
    first, again = list(random_recording(7, 2)), list(random_recording(7, 2))
    other = next(random_recording(8, 1))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.frame, b.frame)
        np.testing.assert_array_equal(a.points, b.points)
        np.testing.assert_array_equal(a.seen, b.seen)
    assert not np.array_equal(first[0].frame, other.frame)


def test_the_frame_shows_dark_bodies_and_feet_where_the_truth_says() -> None:
    lengths = np.array([72.0, 72.0, 72.0])
    scene = Scene(3, FAR_APART, lengths)
    camera = Camera(make_video.LOOK, FAR_APART, lengths, 3)
    scene.advance(10)
    pose = scene.pose()
    frame, seen = camera.shoot([pose], noise=False)
    floor = np.median(frame[100:280, 100:280])
    points = pose.keypoints()
    for k, node in enumerate(NODES):
        for x, y in points[:, k][seen[:, k]]:
            column, row = round(float(x)), round(float(y))
            here = frame[row - 2 : row + 3, column - 2 : column + 3]
            assert here.min() < 0.8 * floor, node


def test_a_foot_ends_where_the_truth_says() -> None:
    """Beyond the tip, away from the body, is floor again: the point is the leg's end, not its middle."""
    lengths = np.array([80.0])
    scene = Scene(5, FAR_APART, lengths)
    look = Look(**{**make_video.LOOK.__dict__, "dirt": 0, "shadow": 0.0, "grain": 0.0, "wing": 0.0})
    camera = Camera(look, FAR_APART, lengths, 5)
    scene.advance(15)
    pose = scene.pose()
    frame, _ = camera.shoot([pose], noise=False)
    middle_feet = pose.keypoints()[0, [5, 6]]
    for foot in middle_feet:
        outward = (foot - pose.thorax[0]) / np.linalg.norm(foot - pose.thorax[0])
        beyond = foot + 5 * outward
        dark = [int(frame[round(float(y)), round(float(x))]) for x, y in (foot, beyond)]
        assert dark[0] < 0.85 * dark[1]


def test_left_is_the_animals_own_left_as_the_camera_sees_it() -> None:
    pose = Scene(11, FAR_APART, np.array([70.0])).pose()
    head, thorax = pose.keypoints()[0, :2]
    forward = head - thorax
    left = np.array([forward[1], -forward[0]])  # y runs down: left of "to the right" is up
    for k, node in enumerate(NODES):
        if node.endswith("_left"):
            foot, mirrored = pose.keypoints()[0, k], pose.keypoints()[0, MIRROR[k]]
            assert (foot - thorax) @ left > 0 > (mirrored - thorax) @ left
            assert NODES[MIRROR[k]] == node.replace("left", "right")


def test_feet_stand_still_on_the_floor_while_the_body_walks() -> None:
    scene = Scene(21, FAR_APART, np.array([70.0, 65.0]))
    tracks = []
    for _ in range(90):
        scene.advance(1)
        tracks.append(scene.pose().keypoints())
    moved = np.linalg.norm(np.diff(np.array(tracks), axis=0), axis=-1)  # (89, 2, nodes)
    walking = moved[:, :, 1] > 1
    feet = moved[:, :, 3:][walking]
    assert walking.sum() > 20
    assert 0.3 < np.mean(feet < 0.01) < 0.8
    assert feet.max() > 4


def test_animals_stay_in_the_dish_and_out_of_each_other() -> None:
    arena, lengths = FAR_APART, np.full(5, 68.0)
    scene = Scene(31, arena, lengths)
    for _ in range(60):
        scene.advance(3)
        points = scene.pose().keypoints()
        assert arena.depth(points).min() > 0
        gaps = np.linalg.norm(points[:, None, 1] - points[None, :, 1], axis=-1) + np.eye(5) * 1e6
        assert gaps.min() > 0.25 * 68


def test_ideal_maps_score_nearly_perfectly() -> None:
    shots = list(random_recording(41, 2))
    by_frame = {shot.frame.tobytes(): shot.points for shot in shots}

    def predict(frame: np.ndarray) -> np.ndarray:
        return bells(by_frame[frame.tobytes()], 4)

    figures = score(predict, shots)["all"]
    assert figures["median_px"] < 0.35
    assert figures["recall"] > 0.97
    assert figures["precision"] > 0.97  # the bells of two feet may merge where they touch


def test_pairs_are_made_nearest_first_and_each_once() -> None:
    truth = np.array([[0.0, 0.0], [10.0, 0.0], [100.0, 100.0]])
    found = np.array([[1.0, 0.0, 0.9], [2.0, 0.0, 0.8], [100.0, 100.0 + FAR + 1, 0.9]])
    of_peak, of_point = paired(found, truth)
    assert of_peak.tolist() == [1.0, 8.0, math.inf]
    assert of_point.tolist() == [1.0, 8.0, math.inf]


def test_the_shipped_files_are_small_and_complete() -> None:
    words = json.loads(MODEL.with_suffix(".json").read_text(encoding="utf-8"))
    assert words == {"nodes": list(NODES), "edges": [list(edge) for edge in EDGES]}
    assert MODEL.stat().st_size + make_video.VIDEO.stat().st_size < 4_000_000
    with h5py.File(MODEL) as stored:
        assert "optimizer_weights" not in stored


def test_the_shipped_models_file_can_be_read_by_any_keras_3() -> None:
    """Newer versions add arguments to the initializers that start a training: none of those stands in it."""
    with h5py.File(MODEL) as stored:
        config = str(stored.attrs["model_config"])
    assert "Glorot" not in config
    assert "input_axes" not in config


@pytest.fixture(scope="module")
def predictor() -> PosePredictor:
    made = PosePredictor(MODEL, threads=2, allow_model_code=False)
    made.setup()
    return made


@pytest.fixture(scope="module")
def shipped_model() -> Predict:
    """The file as plain Keras loads it, without anything of the app."""
    import keras

    model = keras.models.load_model(MODEL, compile=False)
    assert model.input_shape == (None, SIZE, SIZE, 1)
    confmaps, pafs = model.output_shape
    assert confmaps[1:] == (SIZE // 4, SIZE // 4, len(NODES))
    assert pafs[1:] == (SIZE // 8, SIZE // 8, 2 * len(EDGES))
    return keras_predict(model)


def test_the_shipped_model_finds_the_points_of_scenes_it_never_saw(shipped_model: Predict) -> None:
    # Other seeds than those of the published figures, too: these are nobody's favourites.
    figures = score(shipped_model, held_out(12, frames=1, first=1_500_000))
    assert figures["all"]["median_px"] < 2.0
    assert figures["all"]["recall"] > 0.9
    assert figures["all"]["precision"] > 0.9
    assert max(row["median_px"] or math.inf for row in figures["nodes"].values()) < 3.0


def test_the_shipped_model_groups_the_points_of_animals_it_never_saw() -> None:
    figures = grouping(MODEL, held_out(12, frames=1, first=1_500_000))
    assert abs(figures["instances"] - figures["animals"]) <= 0.1 * figures["animals"]
    assert figures["own"] > 0.95 and figures["others"] < 0.02
    assert figures["whole"] > 0.9


def test_fields_point_along_the_limbs_and_a_mirrored_animals_left_is_its_right() -> None:
    points = np.zeros((1, len(NODES), 2))
    points[0] = [
        [40, 80],
        [80, 80],
        [120, 80],
        [60, 40],
        [60, 120],
        [80, 40],
        [80, 120],
        [100, 40],
        [100, 120],
    ]
    field = fields.target(points, 192)
    assert field.shape == (24, 24, 2 * len(EDGES))
    edge = EDGES.index((1, 2))
    np.testing.assert_allclose(field[10, 12, 2 * edge : 2 * edge + 2], [1, 0], atol=0.01)
    assert np.abs(field[0, 0]).max() < 1e-3
    shot = Shot(np.zeros((192, 192), np.uint8), points, np.ones((1, len(NODES)), np.bool_))
    turned = fields.upside_down(shot).points[0]
    left, right = NODES.index("fore_left"), NODES.index("fore_right")
    np.testing.assert_array_equal(turned[left], [60, 191 - 120])
    np.testing.assert_array_equal(turned[right], [60, 191 - 40])


def decoded(count: int) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(make_video.VIDEO))
    frames: list[np.ndarray] = []
    while len(frames) < count:
        more, frame = capture.read()
        if not more:
            break
        frames.append(frame)
    capture.release()
    return frames


def test_the_shipped_video_is_the_scene_of_its_seed() -> None:
    frames = decoded(10**6)
    assert len(frames) == make_video.FRAMES >= 300
    assert all(frame.shape == (SIZE, SIZE, 3) for frame in frames)
    for frame, shot in zip(frames[:5], make_video.shots(5), strict=True):
        difference = frame[..., 0].astype(float) - shot.frame
        assert np.sqrt(np.mean(difference**2)) < 6  # the sensor's noise, which the encoder drops
        assert np.ptp(frame.astype(int), axis=-1).max() <= 2  # gray stays gray


def test_the_app_finds_the_shipped_videos_points(predictor: PosePredictor) -> None:
    """A worker's whole way: the video's frames in, points in the video's pixels out, against the truth."""
    assert predictor.info.nodes == NODES
    count, step = 60, 6
    frames, shots = decoded(count)[::step], list(make_video.shots(count))[::step]
    options = PoseOptions(threshold=0.2, floor=0.2)
    errors, wrong = [], 0
    for frame, shot in zip(frames, shots, strict=True):
        (prediction,) = predictor.predict([predictor.feed(frame)], options)
        for k in range(len(NODES)):
            here = prediction.points[prediction.nodes == k]
            of_peak, of_point = paired(here, shot.points[:, k])
            errors += of_point[shot.seen[:, k]].tolist()
            wrong += int(np.sum(of_peak > NEAR))
    assert np.median(errors) < 1.0
    assert np.mean(np.array(errors) <= NEAR) > 0.9
    assert wrong < 0.1 * len(errors)


def test_the_video_can_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "again.mp4"
    make_video.write(path, frames=3)
    capture = cv2.VideoCapture(str(path))
    more, frame = capture.read()
    capture.release()
    assert more
    assert frame.shape == (SIZE, SIZE, 3)


def test_peaks_lie_in_true_pixels() -> None:
    at = np.array([[[101.3, 57.9]] * len(NODES)])
    for found in peaks(bells(at, 4), 4):
        np.testing.assert_allclose(found[0, :2], at[0, 0], atol=0.25)


def test_what_is_trained_towards_are_peaks_in_true_pixels() -> None:
    from sample import network

    shot = next(random_recording(61, 1))
    everywhere = np.ones_like(shot.seen)
    wished = network.targets(shot.points, everywhere, SIZE)
    np.testing.assert_allclose(wished, bells(shot.points, network.STRIDE), atol=1e-5)
    hidden = network.targets(shot.points, ~everywhere, SIZE)
    assert set(np.unique(hidden).tolist()) == {network.IGNORED, 0.0}


def test_the_folded_network_says_the_same_as_the_one_that_learned() -> None:
    from sample import network

    rng = np.random.default_rng(0)
    learned = network.build(96)
    for layer in learned.layers:
        if layer.name.endswith("_norm"):  # as if it had seen something
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    image = rng.random((1, 96, 96, 1), dtype=np.float32)
    before = np.asarray(learned(image, training=False))
    after = np.asarray(network.fold(learned, 96)(image, training=False))
    np.testing.assert_allclose(logits(after), logits(before) - network.CALM, atol=1e-2)


def test_what_is_saved_can_be_read_by_any_keras_3(tmp_path: Path) -> None:
    from sample import network

    network.save(network.build(96), tmp_path / "new.h5")
    with h5py.File(tmp_path / "new.h5") as stored:
        assert "Glorot" not in str(stored.attrs["model_config"])


def test_a_hidden_point_is_neither_asked_for_nor_held_against_the_model() -> None:
    shot = next(random_recording(51, 1))
    hidden = Shot(shot.frame, shot.points, np.zeros_like(shot.seen))
    everything: Callable[[np.ndarray], np.ndarray] = lambda frame: bells(shot.points, 4)  # noqa: E731
    figures = score(everything, [hidden])["all"]
    assert figures["points"] == 0
    assert figures["precision"] == 1.0
