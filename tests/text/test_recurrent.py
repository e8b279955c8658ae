"""The network against one that is computed the obvious way."""

import numpy as np
import pytest

from inference.messages import TextOptions
from inference.text import sampling, vocabulary
from tests.kit import char_models as kit
from tests.kit.char_models import recurrent
from tests.text.reference import Reference
from tests.text.writing import ids_of, logits_of, network, pieces

CHAINS = {
    "lstm": [recurrent("LSTM")],
    "lstm, hard": [recurrent("LSTM", recurrent_activation="hard_sigmoid")],
    "gru, reset before": [recurrent("GRU")],
    "gru, reset after": [recurrent("GRU", reset_after=True)],
    "gru, hard": [recurrent("GRU", recurrent_activation="hard_sigmoid", reset_after=True)],
    "simple": [recurrent("SimpleRNN")],
    "simple, relu": [recurrent("SimpleRNN", units=3, activation="relu")],
    "two": [recurrent("LSTM", 7), recurrent("LSTM", 5)],
    "all": [recurrent("GRU", 4), recurrent("LSTM", 9), recurrent("SimpleRNN", 3), recurrent("GRU", 6)],
    "last alone": [recurrent("LSTM", 7), recurrent("GRU", 5, return_sequences=False)],
    "dropout": [
        {"class_name": "Dropout", "config": {"rate": 0.5}},
        recurrent("LSTM", dropout=0.5),
        {"class_name": "Dropout", "config": {"rate": 0.5}},
    ],
}


@pytest.mark.parametrize("name", CHAINS)
def test_every_layer_gives_what_its_formula_says(tmp_path, name):
    path = kit.write(tmp_path / "model.h5", kit.entries(*CHAINS[name]))
    ids = np.random.default_rng(1).integers(0, len(kit.LETTERS), 60).tolist()
    found, expected = logits_of(network(path), ids), np.array(list(Reference(path).logits_of(ids)))
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert np.ptp(expected, axis=0).min() > 0.1, "the characters before make no difference"


def test_characters_as_rows_of_zeros_and_a_one(tmp_path):
    size = len(kit.LETTERS)
    first = recurrent("LSTM", batch_input_shape=[None, 40, size])
    path = kit.write(tmp_path / "model.h5", kit.named([first, *kit.entries()[1:]]))
    ids = [3, 0, 11, 5, 5, 1]
    found, expected = logits_of(network(path), ids), list(Reference(path).logits_of(ids))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("options", [TextOptions(1), TextOptions(10, 1.0, 5), TextOptions(4, 1.7, 6)])
def test_the_text_is_that_of_the_reference_drawn_by_choice(tmp_path, options):
    path = kit.write(tmp_path / "model.h5", kit.entries(recurrent("LSTM", 16), recurrent("GRU", 12)))
    found = ids_of(pieces(network(path), "a bad é", [1, 1, 2, 4, 8, 16, 32, 32], options))
    ids, rng = vocabulary.encode("a bad é", kit.LETTERS), np.random.default_rng(options.random_state)
    reference, size = Reference(path), len(ids)
    while len(ids) < size + 96:
        *_, said = reference.logits_of(ids)
        p = sampling.cut(sampling.probabilities(said, options.temperature), options.top_n)
        ids.append(int(rng.choice(len(p), p=p)))
    assert found == ids[size:]
    assert len(set(found)) > 2


def test_unknown_characters_are_passed_over_where_the_model_was_trained_so(tmp_path):
    layers = kit.entries(recurrent("LSTM"), recurrent("GRU"))
    layers[0]["config"]["mask_zero"] = True
    model = network(kit.write(tmp_path / "model.h5", layers))
    plain = logits_of(model, [3, 4, 5])
    np.testing.assert_array_equal(logits_of(model, [3, 0, 0, 4, 5]), plain[[0, 0, 0, 1, 2]])
