"""Strangers' character models: what is understood, and what is said of all else."""

import contextlib
import json

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import ModelError
from inference.settings import HERE
from inference.text import files
from inference.text.chain import chain, is_text
from tests.kit import char_models as kit
from tests.kit.char_models import LETTERS, entries, named, recurrent
from tests.text.writing import logits_of, network

HARD = {"recurrent_activation": "hard_sigmoid"}
SILENT = {"class_name": "LSTM", "config": {"units": 8, "activation": "tanh", "return_sequences": True}}
UNDERSTOOD = "is a Bidirectional.*Understood are LSTM"
NUMBERS = "6×32 numbers with a point, and is"


def around(kind, layer):
    return {"class_name": kind, "config": {"layer": layer}}


def ending(units, activation):
    """A model that ends with another Dense."""
    dense = {"class_name": "Dense", "config": {"units": units, "activation": activation}}
    return named([*entries(recurrent("LSTM"))[:-1], dense])


def forecast(width, *, units=12, activation="softmax"):
    """A model that takes rows of numbers."""
    dense = {"class_name": "Dense", "config": {"units": units, "activation": activation}}
    return named([recurrent("LSTM", batch_input_shape=[None, None, width]), dense])


def refused(path, match):
    with pytest.raises(ModelError, match=match) as raised:
        files.read(path)
    assert path.name in str(raised.value) and str(path.parent) not in str(raised.value)
    return str(raised.value)


def test_a_sequential_of_a_list_and_one_of_an_object_are_the_same(tmp_path):
    layers = entries(recurrent("LSTM"))
    old = network(kit.write(tmp_path / "old.h5", layers))
    new = kit.write(tmp_path / "new.h5", layers)
    with h5py.File(new, "r+") as file:
        config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}
        file.attrs["model_config"] = json.dumps(config)
    np.testing.assert_array_equal(logits_of(network(new), range(12)), logits_of(old, range(12)))


# ---- what cannot be known


@pytest.mark.parametrize(
    ("version", "is_keras2", "notes"),
    [("2.2.0", True, 0), ("2.2.4-tf", True, 0), ("3.1.0", False, 0), (None, True, 1)],
)
def test_hard_sigmoid_is_as_the_file_was_written(tmp_path, version, is_keras2, notes):
    path = kit.write(tmp_path / "model.h5", entries(recurrent("LSTM", **HARD)), version=version)
    model = files.read(path)
    assert model.is_keras2 == is_keras2 and len(model.notes) == notes
    for note in model.notes:
        assert note.startswith("model.h5 does not say which Keras wrote it") and "Keras 2's is taken" in note


def test_without_a_hard_sigmoid_the_version_makes_no_difference(tmp_path):
    assert files.read(kit.write(tmp_path / "model.h5", entries(recurrent("LSTM")), version=None)).notes == ()


def test_a_gru_older_than_reset_after_has_its_gate_before(tmp_path):
    path = kit.write(tmp_path / "model.h5", entries(recurrent("GRU")))
    said = kit.write(tmp_path / "said.h5", entries(recurrent("GRU", reset_after=False)))
    np.testing.assert_array_equal(logits_of(network(path), range(12)), logits_of(network(said), range(12)))
    assert files.read(path).notes == ()
    unbiased = kit.write(tmp_path / "unbiased.h5", entries(recurrent("GRU", use_bias=False)))
    (note,) = files.read(unbiased).notes
    assert "reset gate" in note


# ---- vocabulary


def test_without_a_file_the_usual_vocabulary_is_taken(tmp_path):
    path = kit.write(tmp_path / "model.h5", entries(recurrent("LSTM"), size=98), vocabulary=None)
    assert len(files.read(path).vocabulary.characters) == 98


def test_a_model_that_does_not_fit_its_vocabulary(tmp_path):
    path = kit.write(tmp_path / "model.h5", entries(recurrent("LSTM")), vocabulary=None)
    said = refused(path, r"takes 12 characters, and the usual vocabulary.* has 98")
    assert "model.json" in said and '{"vocabulary": ["", "a", …]}' in said
    path = kit.write(tmp_path / "other.h5", entries(recurrent("LSTM")), vocabulary=LETTERS[:-1])
    refused(path, r"takes 12 characters, and other\.json has 11")
    layers = entries(recurrent("LSTM"))
    layers[-1]["config"]["units"] = 13
    refused(
        kit.write(tmp_path / "model.h5", layers),
        r"gives probabilities for 13 characters, and model\.json has 12",
    )


# ---- layers


@pytest.mark.parametrize(
    ("layer", "match"),
    [
        (around("Bidirectional", recurrent("LSTM")), UNDERSTOOD),
        ({"class_name": "Conv1D", "config": {}}, "is a Conv1D"),
        (around("TimeDistributed", recurrent("LSTM")), "TimeDistributed around LSTM"),
        (recurrent("LSTM", go_backwards=True), "backwards"),
        (recurrent("GRU", return_state=True), "return_state"),
        (recurrent("LSTM", return_sequences=False), "return_sequences is off"),
        (recurrent("LSTM", activation="mish"), "activation of its layer layer_1 is mish"),
        (SILENT, "does not say its recurrent_activation"),
        (recurrent("LSTM", units=0), "units of its layer layer_1"),
        (recurrent("LSTM", units=2.5), "units of its layer layer_1"),
        ({"class_name": "Embedding", "config": {"input_dim": 3, "output_dim": 3}}, "only its first layer"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named(tmp_path, layer, match):
    path = kit.write(tmp_path / "model.h5", entries(recurrent("LSTM")))
    with h5py.File(path, "r+") as file:
        layers = entries(layer, recurrent("LSTM"))
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers})
    refused(path, match)


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        (entries(), "no recurrent layer"),
        ([], "no character model"),
        ([3], "a layer that is none"),
        (entries(recurrent("LSTM"))[:-1], "ends with LSTM"),
        (ending(12, "sigmoid"), "ends with sigmoid"),
        ([{"class_name": "Lambda", "config": {}}], "code of its own"),
    ],
)  # fmt: skip
def test_what_is_no_character_model_is_told_so(tmp_path, layers, match):
    path = kit.write(tmp_path / "model.h5", entries(recurrent("LSTM")))
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers})
    refused(path, match)


def test_a_model_with_branches_is_refused():
    def functional(*links):
        layers = [
            {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}
            for (kind, name, config), nodes in zip(
                (
                    ("InputLayer", "in", {}),
                    ("Embedding", "e", {}),
                    ("LSTM", "l", recurrent("LSTM")["config"]),
                    ("Dense", "d", {"activation": "softmax"}),
                ),
                links,
                strict=True,
            )
        ]
        return {"class_name": "Functional", "config": {"layers": layers}}

    def keras3(name):
        return [
            {
                "args": [{"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}],
                "kwargs": {},
            }
        ]

    straight = functional([], [[["in", 0, 0, {}]]], [[["e", 0, 0, {}]]], keras3("l"))
    assert [layer.kind for layer in chain(straight, "m.h5")] == ["Embedding", "LSTM", "Dense"]
    for links in (
        ([], [[["in", 0, 0, {}]]], [[["e", 0, 0, {}], ["in", 0, 0, {}]]], keras3("l")),
        ([], [[["in", 0, 0, {}]]], [[["e", 0, 0, {}]]], keras3("e")),
        ([], [[["in", 0, 0, {}]]], [[["e", 0, 0, {}]], [["d", 0, 0, {}]]], keras3("l")),
    ):
        with pytest.raises(ModelError, match="one after the other"):
            chain(functional(*links), "m.h5")


# ---- damaged and hostile files


def kernel(values):
    """Put another kernel into the recurrent layer."""

    def change(held):
        del held["layer_1/inner/kernel:0"]
        held["layer_1/inner/kernel:0"] = values

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda held: held.__delitem__("layer_1"), "kernel of its layer layer_1 is missing"),
        (lambda held: held["layer_1/inner"].__delitem__("bias:0"), "bias of its layer layer_1 is missing"),
        (lambda held: held["layer_1/inner/kernel:0"].__setitem__((0, 0), np.nan), "not finite"),
        (lambda held: held["layer_2/inner/bias:0"].__setitem__(0, np.inf), "not finite"),
        (kernel(np.zeros((6, 31), "f4")), f"{NUMBERS} 6×31"),
        (kernel(np.zeros((6, 32), "i4")), f"{NUMBERS} 6×32 of int32"),
        (kernel(np.full((6, 32), 1e300)), "not finite"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused(tmp_path, change, match):
    path = kit.write(tmp_path / "model.h5", entries(recurrent("LSTM")))
    with h5py.File(path, "r+") as file:
        change(file["model_weights"])
    refused(path, match)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_what_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    refused(path, "no model|damaged")


def test_a_pose_model_is_no_character_model():
    refused(HERE / "models" / "best_model.h5", r"best_model\.h5 (is no character model|cannot be run)")


def test_a_cut_off_file_is_refused(tmp_path):
    path = kit.write(tmp_path / "model.h5", entries(recurrent("LSTM", 64)))
    path.write_bytes(path.read_bytes()[:-2000])
    refused(path, "damaged")


# ---- which kind a model is


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (entries(recurrent("LSTM")), True),
        (entries(around("Bidirectional", recurrent("GRU"))), True),
        (ending(12, "linear"), True),
        (forecast(12), True),
        (entries(), False),
        (entries(recurrent("LSTM"))[:-1], False),
        # a forecast, a verdict on a text
        (forecast(5, units=5, activation="linear"), False),
        (ending(2, "softmax"), False),
    ],
)  # fmt: skip
def test_a_character_model_is_known_by_its_configuration(layers, expected):
    assert is_text({"class_name": "Sequential", "config": layers}) is expected
    assert is_text({"class_name": "Sequential", "config": {"layers": layers}}) is expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["LSTM", "Dense", "Embedding"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["class_name", "config", "layers", "layer", "units", "name", "inbound_nodes", "input_dim"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["class_name", "config", "module"]), json_values))
def test_any_configuration_is_a_character_model_or_none(config):
    assert is_text(config) in (True, False)
    with contextlib.suppress(ModelError):
        assert chain(config, "model.h5")
