"""Model files: found, told apart, refused when they are broken or carry code, each in plain words."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import pytest

from inference import model_files
from inference.errors import ModelError
from inference.model_files import Format
from tests.kit.engines import FORMATS


@pytest.fixture(scope="session")
def kit():
    from tests.kit import keras_models

    return keras_models


@pytest.fixture(scope="session")
def written(kit, tmp_path_factory) -> dict[str, Path]:
    """One small model of each format."""
    folder = tmp_path_factory.mktemp("formats")
    return {form: kit.save(folder, form, kit.picking) for form in FORMATS}


def refusal(path: Path, **options) -> str:
    with pytest.raises(ModelError) as caught:
        model_files.inspect(path, **options)
    message = str(caught.value)
    assert str(path.parent) not in message
    return message


def write_h5(path: Path, config, version: str | None = "2.4.0") -> Path:
    with h5py.File(path, "w") as file:
        if version:
            file.attrs["keras_version"] = version
        if config is not None:
            file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
        file.create_group("model_weights")
    return path


# Finding ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "found"),
    [
        (["best_model.h5", "latest_model.h5", "training_config.json"], "best_model.h5"),
        (["pose.keras", "notes.txt"], "pose.keras"),
        (["old.h5"], "old.h5"),
        (["saved_model.pb"], "saved_model.pb"),
    ],
)
def test_the_model_in_a_folder(tmp_path, held, found):
    for name in held:
        (tmp_path / name).touch()
    assert model_files.find(tmp_path).name == found


def test_a_folder_with_no_or_several_models(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "empty has to hold best_model.h5" in refusal(tmp_path / "empty")
    for name in ("a.h5", "b.keras"):
        (tmp_path / "empty" / name).touch()
    assert "it holds a.h5, b.keras" in refusal(tmp_path / "empty")


def test_what_is_no_model_by_its_name(tmp_path):
    (tmp_path / "video.mp4").touch()
    assert "video.mp4 is no model file" in refusal(tmp_path / "video.mp4")
    assert "There is no model gone.h5" in refusal(tmp_path / "gone.h5")


@pytest.fixture
def outside(tmp_path):
    """A folder of things that no link in `tmp_path / "models"` may lead to."""
    (tmp_path / "outside" / "variables").mkdir(parents=True)
    (tmp_path / "models" / "fly").mkdir(parents=True)
    write_h5(tmp_path / "outside" / "secret.h5", {})
    for name in ("secret.json", "saved_model.pb", "variables/variables.index"):
        (tmp_path / "outside" / name).write_text("{}")
    return tmp_path / "outside"


def test_a_link_out_counts_as_not_there(tmp_path, outside):
    models = tmp_path / "models"
    (models / "out.h5").symlink_to(outside / "secret.h5")
    assert refusal(models / "out.h5") == "There is no model out.h5."
    (models / "fly" / "best_model.h5").symlink_to(outside / "secret.h5")
    (models / "fly" / "saved_model.pb").symlink_to(outside / "saved_model.pb")
    assert "it holds none" in refusal(models / "fly")
    inner = write_h5(models / "fly" / "a.h5", {})
    for link in (models / "fly.json", models / "fly" / "a.json", models / "fly" / "training_config.json"):
        link.symlink_to(outside / "secret.json")
    model = model_files.inspect(models / "fly")
    assert (model.path, model.companion, model.sleap_config) == (inner, None, None)
    assert model_files.inspect(inner).sleap_config is None


def test_a_link_that_stays_inside_is_followed(tmp_path, outside):
    models = tmp_path / "models"
    write_h5(models / "shared.h5", {})
    (models / "shared.json").write_text("{}")
    (models / "fly" / "best_model.h5").symlink_to(models / "shared.h5")
    (models / "fly" / "best_model.json").symlink_to("../shared.json")
    (models / "same").symlink_to("fly")
    for name in ("fly", "same"):
        model = model_files.inspect(models / name)
        assert model.path == models / name / "best_model.h5"
        assert model.companion == models / name / "best_model.json"


@pytest.mark.parametrize("link", ["variables", "variables/variables.index"])
def test_a_saved_model_whose_weights_lie_elsewhere(tmp_path, outside, link):
    entry = tmp_path / "models" / "fly" / link
    (tmp_path / "models" / "fly" / "saved_model.pb").write_bytes(b"")
    entry.parent.mkdir(exist_ok=True)
    entry.symlink_to(outside / link)
    assert f"fly/{link} is a link to nothing in the models folder" in refusal(tmp_path / "models" / "fly")


def test_a_hidden_file_is_no_second_model(tmp_path):
    (tmp_path / "fly").mkdir()
    for name in ("pose.h5", "._pose.h5"):
        (tmp_path / "fly" / name).touch()
    assert model_files.find(tmp_path / "fly").name == "pose.h5"


# Formats ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("keras2.h5", Format.H5_KERAS2),
        ("keras3.h5", Format.H5_KERAS3),
        ("keras2.keras", Format.ZIP_KERAS2),
        ("keras3.keras", Format.ZIP_KERAS3),
        ("keras2_saved_model", Format.SAVED_MODEL),
        ("keras3_saved_model", Format.SAVED_MODEL),
    ],
)
def test_the_format_of_real_files(written, name, form):
    model = model_files.inspect(written[name])
    assert model.format is form
    assert (model.config is None) == (form is Format.SAVED_MODEL)
    assert model.path == written[name]


def test_a_file_without_a_version_is_of_keras_2(tmp_path):
    assert model_files.inspect(write_h5(tmp_path / "old.h5", {}, None)).format is Format.H5_KERAS2


# Broken files -------------------------------------------------------------------------------------


def test_a_text_file_renamed(tmp_path):
    path = tmp_path / "notes.h5"
    path.write_text("not a model")
    assert refusal(path).startswith("notes.h5 is no model")
    path.write_bytes(b"")
    assert "empty" in refusal(path)


def test_a_zip_that_is_no_model(tmp_path):
    for name in ("photos.keras", "photos.h5"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("cat.jpg", b"")
    assert "lacks config.json and metadata.json" in refusal(tmp_path / "photos.keras")
    assert "zip archive" in refusal(tmp_path / "photos.h5")


@pytest.mark.parametrize("name", ["keras2.h5", "keras3.h5", "keras2.keras", "keras3.keras"])
def test_a_file_cut_off(written, tmp_path, name):
    content = written[name].read_bytes()
    path = tmp_path / name
    for length in (len(content) // 2, len(content) - 30, 100):
        path.write_bytes(content[:length])
        assert "cut off" in refusal(path)


def test_a_damaged_archive(written, tmp_path):
    content = bytearray(written["keras3.keras"].read_bytes())
    with zipfile.ZipFile(written["keras3.keras"]) as archive:
        start = archive.getinfo("config.json").header_offset
    content[start + 45 : start + 200] = bytes(155)
    path = tmp_path / "bent.keras"
    path.write_bytes(content)
    assert "bent.keras" in refusal(path)


def test_only_weights(kit, tmp_path):
    path = tmp_path / "weights.h5"
    kit.picking(kit.tf_keras).save_weights(path)
    message = refusal(path)
    assert "weights.h5 holds no model, only weights" in message
    assert "model.save(…)" in message


def test_only_an_architecture(tmp_path):
    path = write_h5(tmp_path / "hollow.h5", {})
    with h5py.File(path, "a") as file:
        del file["model_weights"]
        file.create_group("optimizer_weights")
    message = refusal(path)
    assert "hollow.h5 holds no weights" in message
    assert "group model_weights, and it holds optimizer_weights" in message


@pytest.mark.parametrize("config", ["{", "", "[1, 2]", "null", '{"a":' * 100_000])
def test_a_broken_configuration(tmp_path, config):
    assert "broken.h5" in refusal(write_h5(tmp_path / "broken.h5", config))


# What stands beside a model -----------------------------------------------------------------------


def test_the_json_beside_a_file(tmp_path):
    path = write_h5(tmp_path / "fly.h5", {})
    (tmp_path / "training_config.json").write_text("{}")
    assert model_files.inspect(path).sleap_config == tmp_path / "training_config.json"
    (tmp_path / "fly.json").write_text("{}")
    model = model_files.inspect(path)
    assert (model.companion, model.sleap_config) == (tmp_path / "fly.json", None)


def test_the_json_of_a_folder(tmp_path):
    folder = tmp_path / "fly"
    folder.mkdir()
    write_h5(folder / "best_model.h5", {})
    (tmp_path / "fly.json").write_text("{}")
    assert model_files.inspect(folder).companion == tmp_path / "fly.json"
    (folder / "best_model.json").write_text("{}")
    assert model_files.inspect(folder).companion == folder / "best_model.json"


def test_a_skeleton(tmp_path):
    path = tmp_path / "fly.json"
    path.write_text('{"nodes": ["head", "tail", "wing"], "edges": [[0, 1], [1, 2]]}')
    assert model_files.read_skeleton(path) == (("head", "tail", "wing"), ((0, 1), (1, 2)))
    path.write_text('{"nodes": ["head"]}')
    assert model_files.read_skeleton(path) == (("head",), ())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "JSON is broken"),
        ("[]", "has to hold a JSON object"),
        ("{}", '"nodes" has to be a list'),
        ('{"nodes": "head"}', '"nodes" has to be a list'),
        ('{"nodes": []}', '"nodes" has to be a list'),
        ('{"nodes": [1]}', '"nodes" has to be a list'),
        ('{"nodes": ["a", "a"]}', "only once"),
        ('{"nodes": ["a", "b"], "edges": [[0, 2]]}', "from 0 to 1"),
        ('{"nodes": ["a", "b"], "edges": [[0, -1]]}', "from 0 to 1"),
        ('{"nodes": ["a", "b"], "edges": [[1, 1]]}', "pairs of different"),
        ('{"nodes": ["a", "b"], "edges": [[0, true]]}', "whole numbers"),
        ('{"nodes": ["a", "b"], "edges": [["a", "b"]]}', "whole numbers"),
        ('{"nodes": ["a", "b"], "edges": {}}', "list of pairs"),
    ],
)
def test_a_skeleton_that_makes_no_sense(tmp_path, content, says):
    path = tmp_path / "fly.json"
    path.write_text(content)
    with pytest.raises(ModelError, match=r"fly\.json") as caught:
        model_files.read_skeleton(path)
    assert says in str(caught.value)


# Code ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["keras2.h5", "keras3.h5", "keras2.keras", "keras3.keras"])
@pytest.mark.parametrize("depth", [0, 2])
def test_a_lambda_layer_is_refused_and_never_runs(kit, tmp_path, form, depth):
    from inference.predictors.pose import PosePredictor

    marker = tmp_path / "it ran"
    path = kit.save(tmp_path, form, lambda k: kit.with_lambda(k, marker, depth))
    marker.unlink()
    with pytest.raises(ModelError, match=r"a Lambda layer.*--allow-model-code"):
        PosePredictor(path, threads=1, allow_model_code=False).setup()
    assert not marker.exists()


@pytest.mark.parametrize("form", ["keras2.h5", "keras3.h5", "keras2.keras", "keras3.keras"])
def test_a_lambda_layer_runs_where_it_is_allowed(kit, tmp_path, form):
    from inference.predictors.pose import PosePredictor

    marker = tmp_path / "it ran"
    path = kit.save(tmp_path, form, lambda k: kit.with_lambda(k, marker))
    marker.unlink()
    PosePredictor(path, threads=1, allow_model_code=True).setup()
    assert marker.exists()


@pytest.mark.parametrize("form", ["keras2.keras", "keras3.keras", "keras3.h5"])
def test_a_lambda_as_activation(kit, tmp_path, form):
    path = kit.save(tmp_path, form, kit.with_lambda_activation)
    assert "a lambda function" in refusal(path)


def test_harmless_tensorflow_functions_as_layers(kit, tmp_path):
    tf = kit.tf
    harmless = kit.with_function(
        lambda x: tf.image.resize(tf.nn.relu(tf.concat([x, x], 3))[:, ::2] * 2, (8, 8))
    )
    harmless.save(tmp_path / "harmless.h5")
    assert model_files.inspect(tmp_path / "harmless.h5").format is Format.H5_KERAS2


def layer(class_name: str, **more) -> dict:
    return {"class_name": "Functional", "config": {"layers": [{"class_name": class_name, **more}]}}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (layer("Lambda", config={}), "a Lambda layer"),
        (layer("Custom>Lambda", config={}), "a Lambda layer"),
        (
            layer("TimeDistributed", config={"layer": {"class_name": "Lambda", "config": {}}}),
            "a Lambda layer",
        ),
        (
            layer("Dense", config={"activation": {"class_name": "__lambda__", "config": {}}}),
            "a lambda function",
        ),
        (layer("Odd", config={"function": ["…"], "function_type": "lambda"}), "a lambda function"),
        (layer("TFSMLayer", config={"filepath": "elsewhere"}), "TFSMLayer"),
        (layer("TFOpLambda", config={"function": "py_function"}), "py_function"),
        (layer("TFOpLambda", config={"function": "compat.v1.py_func"}), "py_func"),
        (layer("TFOpLambda", config={"function": "compat.v1.read_file"}), "read_file"),
        (layer("TFOpLambda", config={"function": "raw_ops.WriteFile"}), "WriteFile"),
        (layer("TFOpLambda", config={"function": "keras.models.load_model"}), "load_model"),
        (layer("TFOpLambda", config={"function": "io.gfile.rmtree"}), "rmtree"),
        (layer("ClassMethod", config={"cls_symbol": "io.gfile.GFile"}), "GFile"),
        (layer("TensorFlowOpLayer", config={"node_def": {"op": "WriteFile"}}), "WriteFile"),
        (
            layer("TensorFlowOpLayer", config={"node_def": '{"op": "AddV2"}'}),
            "an operation that cannot be read",
        ),
        (layer("Odd", registered_name="Lambda", module="tf_keras.layers", config={}), "a Lambda layer"),
        (layer("Odd", config={"function": "relu", "output_shape_type": "raw"}), "a lambda function"),
        (layer("StringLookup", config={"vocabulary": "/etc/passwd"}), "reads its vocabulary"),
        (layer("InstanceMethod", config={"attr_name": "__reduce_ex__"}), "attribute __reduce_ex__"),
        (layer("TFOpLambda", config={"function": "compat.v1.disable_eager_execution"}), "disable_eager"),
        (layer("TFOpLambda", config={"function": "keras.backend.set_floatx"}), "set_floatx"),
        (layer("function", module="keras", config="utils.get_file"), "utils.get_file"),
        (layer("os.system", module="tf_keras.engine.training", config={}), "os.system"),
        (layer("function", module="os", config="system"), "system from the Python module os"),
        (layer("function", module="builtins", config="eval"), "eval from the Python module builtins"),
        (layer("Popen", module="subprocess", config={}), "Popen from the Python module subprocess"),
        (layer("function", module="keras.utils", config="get_file"), "get_file"),
        (layer("function", module="tf_keras.src.utils.data_utils", config="get_file"), "get_file"),
    ],
)
def test_code_in_a_configuration(tmp_path, config, says):
    path = write_h5(tmp_path / "code.h5", config)
    message = refusal(path)
    assert says in message
    assert "--allow-model-code" in message
    assert model_files.inspect(path, allow_model_code=True).config == config


@pytest.mark.parametrize(
    "config",
    [
        layer("Conv2D", config={"activation": "relu"}),
        layer("Conv2D", module="keras.layers", registered_name=None, config={"activation": "relu"}),
        layer("Functional", module="tf_keras.src.engine.functional", config={}),
        layer("DTypePolicy", module="keras", config={"name": "float32"}),
        layer("function", module="builtins", config="relu", registered_name="function"),
        layer("TFOpLambda", config={"function": "math.reduce_mean"}),
        layer("TFOpLambda", config={"function": "compat.v1.nn.relu"}),
        layer("SlicingOpLambda", config={"function": "__operators__.getitem"}),
        layer("TensorFlowOpLayer", config={"node_def": {"op": "AddV2"}}),
        layer("StringLookup", config={"vocabulary": ["a", "b"]}),
        layer("InstanceProperty", config={"attr_name": "row_splits"}),
    ],
)
def test_what_is_no_code(tmp_path, config):
    assert model_files.inspect(write_h5(tmp_path / "fine.h5", config)).config == config


def test_how_a_model_was_trained_is_left_out(tmp_path):
    trained = {"loss": {"class_name": "function", "module": "mine", "config": "loss"}}
    path = write_h5(tmp_path / "fine.h5", {"config": {}, "compile_config": trained})
    assert model_files.inspect(path).config == {"config": {}}
