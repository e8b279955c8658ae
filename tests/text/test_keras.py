"""The network against Keras: the model rebuilt for a character at a time, with its weights, stateful."""

import warnings

import h5py
import numpy as np
import pytest

from inference.messages import TextOptions
from inference.text import files, sampling, vocabulary
from inference.text.recurrent import Network
from tests.kit import char_models
from tests.kit.char_models import LETTERS
from tests.text.writing import ids_of, logits_of, network, pieces

FORMS = ("keras2.h5", "keras2.keras", "keras3.h5", "keras3.keras")


def lstm(k):
    return [k.layers.LSTM(9, return_sequences=True, recurrent_activation="hard_sigmoid")]


def gru_after(k):
    return [k.layers.GRU(9, return_sequences=True, reset_after=True)]


def gru_before(k):
    return [k.layers.GRU(9, return_sequences=True, reset_after=False, recurrent_activation="hard_sigmoid")]


def simple(k):
    return [k.layers.SimpleRNN(9, return_sequences=True, activation="softsign", use_bias=False)]


def many(k):
    return [
        k.layers.Dense(7, activation="elu"),
        k.layers.Dropout(0.5),
        k.layers.LSTM(8, return_sequences=True, dropout=0.3, recurrent_dropout=0.3),
        k.layers.LayerNormalization(),
        k.layers.GRU(6, return_sequences=True),
        k.layers.BatchNormalization(),
        k.layers.LSTM(5, return_sequences=True),
        k.layers.Dense(11, activation="relu"),
    ]


def build(k, middle, length, *, stateful=False, ends="softmax"):
    """A model of Keras `k` around these layers; `stateful`: for one text."""
    given = k.layers.Input(batch_shape=(1 if stateful else None, length), dtype="int32")
    x = k.layers.Embedding(len(LETTERS), 6)(given)
    for layer in middle(k):
        if hasattr(layer, "stateful"):
            layer.stateful = stateful
        x = layer(x)
    if ends == "apart":
        x = k.layers.TimeDistributed(k.layers.Dense(len(LETTERS)))(x)
        return k.Model(given, k.layers.Activation("softmax")(x))
    return k.Model(given, k.layers.Dense(len(LETTERS), activation=ends)(x))


def saved(tmp_path, form, middle, **more):
    """A model with large weights, always the same, and its file."""
    import keras
    import tf_keras

    from tests.kit import keras_chars

    k = tf_keras if form.startswith("keras2") else keras
    model = build(k, middle, None, **more)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        path = keras_chars.save(model, tmp_path / f"model.{form.rpartition('.')[2]}")
    char_models.write_vocabulary(path)
    return k, model, path


def stepped(k, model, middle, ids, **more):
    """The probabilities behind each character, by the model rebuilt for one of them at a time."""
    import tensorflow as tf

    single = build(k, middle, 1, stateful=True, **more)
    single.set_weights(model.get_weights())
    single.trainable = False
    step = tf.function(lambda given: single(given, training=False), reduce_retracing=True)
    return np.array([step(tf.constant([[index]], tf.int32)).numpy()[0, 0] for index in ids])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("middle", [lstm, gru_after, gru_before, simple, many])
def test_every_layer_gives_what_keras_gives(tmp_path, form, middle):
    k, model, path = saved(tmp_path, form, middle)
    ids = np.random.default_rng(1).integers(0, len(LETTERS), 25)
    found = sampling.probabilities(logits_of(network(path), ids))
    expected = stepped(k, model, middle, ids)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.05


@pytest.mark.parametrize("form", ["keras2.h5", "keras3.keras"])
@pytest.mark.parametrize("ends", ["linear", "apart"])
def test_logits_and_a_softmax_apart_are_understood(tmp_path, form, ends):
    k, model, path = saved(tmp_path, form, lstm, ends=ends)
    ids = [1, 2, 3, 4]
    expected = stepped(k, model, lstm, ids, ends=ends)
    found = logits_of(network(path), ids)
    if ends == "apart":
        found = sampling.probabilities(found)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_two_hard_sigmoids_give_different_text(tmp_path):
    _, _, path = saved(tmp_path, "keras3.h5", lstm)
    now = logits_of(network(path), range(12))
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = "2.15.0"
    then = logits_of(network(path), range(12))
    assert np.abs(now - then).max() > 0.1


# ---- the model of others


@pytest.fixture(scope="module")
def shared_path(shared_data):
    path = shared_data / "charrnn" / "model-keras2.2.hdf5"
    if not path.is_file():
        pytest.skip("no character model among the shared data")
    return path


@pytest.fixture(scope="module")
def shared_step(shared_path):
    """That model by tf_keras, one character at a time: gives a fresh function from an id to probabilities."""
    import tensorflow as tf
    import tf_keras as k

    hard = {"recurrent_activation": "hard_sigmoid", "return_sequences": True, "stateful": True}
    single = k.Sequential(
        [
            k.layers.Embedding(98, 32, batch_input_shape=(1, 1)),
            k.layers.LSTM(256, **hard),
            k.layers.LSTM(256, **hard),
            k.layers.TimeDistributed(k.layers.Dense(98, activation="softmax")),
        ]
    )
    with h5py.File(shared_path) as file:
        held = file["model_weights"]
        single.set_weights(
            [
                held[layer][name][()]
                for layer in ("embedding_1", "lstm_1", "lstm_2", "time_distributed_1")
                for name in held[layer].attrs["weight_names"]
            ]
        )
    single.trainable = False
    step = tf.function(lambda given: single(given, training=False))

    def fresh():
        single.reset_states()
        return lambda index: step(tf.constant([[index]], tf.int32)).numpy()[0, 0].astype(np.float64)

    return fresh


@pytest.mark.parametrize("options", [TextOptions(1), TextOptions(10, 1.0, 1), TextOptions(98, 0.8, 2)])
def test_a_real_model_writes_the_text_that_tensorflow_writes(shared_path, shared_step, options):
    model, seed, step = Network(files.read(shared_path)), "The meaning of life is ", shared_step()
    found = pieces(model, seed, [1, 1, 2, 4, 8, 16] + [32] * 11, options)
    rng = np.random.default_rng(options.random_state)
    for index in vocabulary.encode(seed, model.vocabulary):
        said = step(index)
    expected, probs = [], []
    for _ in range(384):
        p = sampling.cut(said ** (1 / options.temperature), options.top_n)
        expected.append(int(rng.choice(len(p), p=p)))
        probs.append(said[expected[-1]])
        said = step(expected[-1])
    assert vocabulary.decode(ids_of(found), model.vocabulary) == vocabulary.decode(expected, model.vocabulary)
    np.testing.assert_allclose(np.concatenate([piece.probs for piece in found]), probs, atol=1e-5)
