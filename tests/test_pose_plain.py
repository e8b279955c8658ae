"""Plain models, without a SLEAP config: points come back in the video's own pixels, whatever the sizes.

The models pick single pixels of their input, and the frames carry spots whose places are known, so the
truth is known too.
"""

from __future__ import annotations

import json
import shutil
import threading
import zipfile

import h5py
import numpy as np
import pytest

from inference.errors import FrameError, ModelError
from inference.messages import PoseOptions
from inference.predictors.pose import PosePredictor


@pytest.fixture(scope="module")
def kit():
    from tests.kit import keras_models

    return keras_models


@pytest.fixture(scope="module")
def load(kit, tmp_path_factory):
    """Saves what a function makes in some format, and gives its predictor."""

    def load(make, form="keras2.h5", skeleton=None) -> PosePredictor:
        path = kit.save(tmp_path_factory.mktemp("plain"), form, make)
        if skeleton is not None:
            path.with_suffix(".json").write_text(json.dumps(skeleton))
        predictor = PosePredictor(path, threads=2, allow_model_code=False)
        predictor.setup()
        return predictor

    return load


def spots(height: int, width: int, points, sigma: float, channels: int = 1) -> np.ndarray:
    """A black frame with a round spot at each (x, y)."""
    y, x = np.mgrid[:height, :width]
    light = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points)
    return np.repeat(np.round(light * 250).astype(np.uint8)[..., np.newaxis], channels, axis=2)


def found(predictor: PosePredictor, frame: np.ndarray) -> np.ndarray:
    (one,) = predictor.predict([predictor.feed(frame)], PoseOptions(0.4, 0.4))
    return one.points[np.lexsort((one.points[:, 1], one.points[:, 0]))]


@pytest.mark.parametrize(
    "form",
    ["keras2.h5", "keras3.h5", "keras2.keras", "keras3.keras", "keras2_saved_model", "keras3_saved_model"],
)
def test_every_format_gives_the_same_points(kit, load, form):
    predictor = load(lambda k: kit.picking(k, stride=4), form)
    truth = [(20, 8), (60, 40)]
    np.testing.assert_allclose(found(predictor, spots(50, 70, truth, 4)), truth, atol=0.05)
    assert predictor.info.nodes == ("0",)


@pytest.mark.parametrize("stride", [1, 2, 3, 8])
@pytest.mark.parametrize(("height", "width"), [(96, 120), (97, 131)])
def test_a_cell_is_the_input_pixel_it_was_picked_from(kit, load, stride, height, width):
    predictor = load(lambda k: kit.picking(k, stride=stride))
    truth = [(3 * stride, 2 * stride), (9 * stride, 8 * stride)]
    np.testing.assert_allclose(found(predictor, spots(height, width, truth, stride)), truth, atol=0.02)


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize(
    ("height", "width"),
    [
        pytest.param(128, 128, id="halved exactly"),
        pytest.param(200, 300, id="smaller input, wide"),
        pytest.param(311, 173, id="smaller input, high, odd"),
        pytest.param(64, 64, id="as it is"),
        pytest.param(40, 30, id="larger input"),
        pytest.param(60, 101, id="aspect not in whole pixels"),
    ],
)
def test_a_fixed_input_size_is_undone(kit, load, stride, height, width):
    predictor = load(lambda k: kit.picking(k, size=(64, 64), stride=stride))
    scale = min(64 / height, 64 / width)
    inner_height, inner_width = round(height * scale), round(width * scale)
    # spots that fall on cells: elsewhere the centroid of 5 x 5 cells is a little off by its nature
    cells = [(3, 3), (inner_width // stride - 4, inner_height // stride - 4)]
    truth = [
        ((i * stride + 0.5) * width / inner_width - 0.5, (j * stride + 0.5) * height / inner_height - 0.5)
        for i, j in cells
    ]
    points = found(predictor, spots(height, width, truth, stride / scale))
    np.testing.assert_allclose(points, truth, atol=max(0.02 * stride / scale, 0.05))


def test_a_fixed_size_that_is_no_multiple_of_the_stride(kit, load):
    predictor = load(lambda k: kit.picking(k, size=(100, 90), stride=8))
    truth = [(40, 72)]
    np.testing.assert_allclose(found(predictor, spots(100, 90, truth, 8)), truth, atol=0.05)


@pytest.mark.parametrize("form", ["keras2.h5", "keras3.keras", "keras2_saved_model", "keras3_saved_model"])
@pytest.mark.parametrize("depth", [2, 4])
def test_a_free_size_is_padded_to_the_models_own_stride(kit, load, form, depth):
    predictor = load(lambda k: kit.hourglass(k, depth), form)
    fed = predictor.feed(np.full((37, 51, 1), 255, np.uint8))
    step = 2**depth
    assert fed.image.shape == (-(-37 // step) * step, -(-51 // step) * step, 1)
    assert fed.image.sum() == 37 * 51
    assert len(predictor.predict([fed], PoseOptions())) == 1


def test_one_predictor_takes_frames_of_any_size_and_batches_of_any_length(kit, load):
    predictor = load(lambda k: kit.picking(k, stride=2))
    for height, width, count in [(40, 60, 1), (64, 32, 5), (40, 60, 3)]:
        truths = [[(10 + 2 * i, 20)] for i in range(count)]
        batch = [predictor.feed(spots(height, width, truth, 2)) for truth in truths]
        for truth, one in zip(truths, predictor.predict(batch, PoseOptions(0.4, 0.4)), strict=True):
            np.testing.assert_allclose(one.points, truth, atol=0.02)


def test_gray_and_colour(kit, load):
    colour = load(lambda k: kit.picking(k, channels=3))
    np.testing.assert_allclose(found(colour, spots(32, 32, [(9, 7)], 1.5)), [(9, 7)], atol=0.02)
    red_only = spots(32, 32, [(9, 7)], 1.5, channels=3)
    red_only[..., 1:] = 0
    assert len(found(colour, red_only)) == 1
    assert len(found(colour, red_only[..., ::-1])) == 0
    gray = load(kit.picking)
    assert len(found(gray, red_only)) == 0
    np.testing.assert_allclose(found(gray, spots(32, 32, [(9, 7)], 1.5, 3)), [(9, 7)], atol=0.02)


def test_two_keras_predict_while_a_third_loads(kit, load):
    first, second = load(kit.picking, "keras2.h5"), load(kit.picking, "keras3.h5")
    loader = threading.Thread(target=load, args=(lambda k: kit.hourglass(k, 3), "keras3.keras"))
    loader.start()
    frame = spots(64, 64, [(30, 20)], 1.5)
    while loader.is_alive():
        for predictor in (first, second):
            np.testing.assert_allclose(found(predictor, frame), [(30, 20)], atol=0.02)
    loader.join()


def test_names_and_edges_from_the_file_beside_it(kit, load):
    skeleton = {"nodes": ["head", "tail"], "edges": [[0, 1]]}
    info = load(lambda k: kit.picking(k, nodes=2), skeleton=skeleton).info
    assert (info.nodes, info.edges) == (("head", "tail"), ((0, 1),))
    with pytest.raises(ModelError, match=r"keras2.json names 2 nodes \(head, tail\).* 3 channels"):
        load(lambda k: kit.picking(k, nodes=3), skeleton=skeleton)


def classifier(k):
    image = k.Input((16, 16, 1))
    return k.Model(image, k.layers.Dense(10, name="classes")(k.layers.Flatten()(image)))


def heads(k, *names):
    image = k.Input((None, None, 1))
    return k.Model(image, [k.layers.Conv2D(3, 1, name=name)(image) for name in names])


def two_inputs(k):
    images = [k.Input((8, 8, 1)), k.Input((8, 8, 1))]
    return k.Model(images, k.layers.Add()(images))


def of_whole_numbers(k):
    image = k.Input((8, 8, 1), dtype="int32")
    return k.Model(image, k.layers.Rescaling(1.0)(image))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(classifier, r"needed.* it gives classes of shape \(batch, 10\)", id="classifier"),
        pytest.param(
            lambda k: heads(k, "left", "right"), r"named confmaps; it gives left .* and right", id="two"
        ),
        pytest.param(two_inputs, "takes 2 inputs; it has to take one image", id="two inputs"),
        pytest.param(of_whole_numbers, "takes int32 of shape", id="whole numbers"),
        pytest.param(
            lambda k: k.Sequential([k.layers.Dense(3, input_shape=(7,))]), r"shape \(any, 7\)", id="vector"
        ),
    ],
)
def test_a_model_that_gives_no_confidence_maps(load, make, says):
    with pytest.raises(ModelError, match=says):
        load(make)


def test_a_model_of_other_channels_than_gray_or_colour(kit, load):
    with pytest.raises(ModelError, match="takes images of 4 channels"):
        load(lambda k: kit.picking(k, channels=4))


@pytest.mark.parametrize("names", [("confmaps", "fields"), ("fields", "ConfidenceMaps_head")])
@pytest.mark.parametrize("form", ["keras2.h5", "keras3.h5"])
def test_the_output_named_like_confmaps_is_taken(load, names, form):
    assert len(load(lambda k: heads(k, *names), form).info.nodes) == 3


@pytest.mark.parametrize("form", ["keras2.h5", "keras3.keras"])
def test_outputs_given_by_name(load, form):
    def make(k):
        image = k.Input((None, None, 1))
        branches = {"boxes": 2, "confmaps": 3}
        return k.Model(image, {name: k.layers.Conv2D(n, 1)(image) for name, n in branches.items()})

    assert len(load(make, form).info.nodes) == 3


def test_a_file_whose_weights_are_damaged(kit, tmp_path):
    path = kit.save(tmp_path, "keras3.keras", kit.picking)
    bent = tmp_path / "bent.keras"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bent, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[:500] if name.endswith(".h5") else old.read(name))
    with pytest.raises(ModelError, match=r"bent.keras is damaged"):
        PosePredictor(bent, threads=1, allow_model_code=False).setup()


def refusal(path) -> str:
    with pytest.raises(ModelError) as caught:
        PosePredictor(path, threads=1, allow_model_code=False).setup()
    message = str(caught.value)
    assert str(path.parent) not in message
    return message


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", "an empty file"), (b"no graph " * 9, "or is damaged"), (b"\x08\x01", "something else")],
)
def test_a_saved_model_that_is_none(tmp_path, content, found):
    (tmp_path / "fly").mkdir()
    (tmp_path / "fly" / "saved_model.pb").write_bytes(content)
    message = refusal(tmp_path / "fly")
    assert message.startswith("fly/saved_model.pb is no SavedModel") and found in message
    assert "a graph written by TensorFlow is needed" in message


@pytest.mark.parametrize("form", ["keras2_saved_model", "keras3_saved_model"])
def test_a_saved_model_without_its_weights(kit, tmp_path, form):
    path = kit.save(tmp_path, form, kit.picking)
    (path / "variables" / "variables.index").unlink()
    message = refusal(path)
    assert "saved_model.pb is without its weights" in message
    assert "it holds variables.data-00000-of-00001" in message
    shutil.rmtree(path / "variables")
    assert "it is empty or not there" in refusal(path)


@pytest.mark.parametrize("damaged", ["variables.index", "variables.data-00000-of-00001"])
def test_a_saved_model_whose_weights_are_damaged(kit, tmp_path, damaged):
    path = kit.save(tmp_path, "keras2_saved_model", kit.picking)
    (path / "variables" / damaged).write_bytes(b"other")
    assert "saved_model.pb cannot be loaded: its weights, in the folder variables" in refusal(path)
    (path / "variables" / damaged).rename(path / "variables" / "variables.data-00001-of-00002")
    assert "weights" in refusal(path)


def test_a_saved_model_whose_asset_lies_elsewhere(kit, tmp_path):
    tf, path = kit.tf, tmp_path / "models" / "fly"
    module = tf.Module()
    (tmp_path / "words.txt").write_text("one")
    module.words = tf.saved_model.Asset(str(tmp_path / "words.txt"))
    spec = tf.TensorSpec((None, 8, 8, 1), name="image")
    serve = tf.function(lambda image: {"confmaps": image}, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(path), signatures=serve)
    PosePredictor(path, threads=1, allow_model_code=False).setup()
    (path / "assets" / "words.txt").unlink()
    (path / "assets" / "words.txt").symlink_to(tmp_path / "words.txt")
    assert "saved_model.pb needs a file words.txt in assets" in refusal(path)


@pytest.mark.parametrize("form", ["keras2.h5", "keras3.h5"])
def test_a_file_whose_weights_are_of_another_model(kit, tmp_path, form):
    path = kit.save(tmp_path, form, kit.picking)
    with h5py.File(path, "a") as file:
        del file["model_weights"].attrs["layer_names"]
    assert f"{form} (an HDF5 file of Keras {form[5]}) cannot be loaded" in refusal(path)


def test_no_folder_of_the_machine_is_named(tmp_path):
    from inference.engines.tensorflow import _line

    path = tmp_path / "my models" / "fly"
    for told in (
        f"no {path}/variables/v.index",
        f"no b'{path}/saved_model.pb'",
        f"no {path.parent}/other.h5",
    ):
        assert str(tmp_path) not in _line(OSError(told), path)
    assert _line(OSError("in /opt/python/keras/layer.py: bad"), path) == "in layer.py: bad"
    assert _line(OSError("see https://keras.io/api/layers/ for conv/kernel"), path).endswith("conv/kernel")
    assert _line(KeyError("layer_names"), path) == "'layer_names' is missing in it"
    assert _line(KeyError("there is no layer"), path) == "'there is no layer'"


def test_a_frame_that_the_model_cannot_take_is_an_error_of_that_frame(kit, load):
    predictor = load(lambda k: kit.hourglass(k, 3))
    fed = predictor.feed(np.zeros((16, 16, 1), np.uint8))
    odd = type(fed)(fed.image[:, :13])
    with pytest.raises(FrameError, match="cannot be run on 13 × 16 pixels"):
        predictor.predict([odd], PoseOptions())
    assert len(predictor.predict([fed], PoseOptions())) == 1
