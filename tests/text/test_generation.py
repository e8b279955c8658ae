"""Pieces of texts: however they are cut and whoever writes beside them, they are the same text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import FrameError, ModelError
from inference.messages import Prompt, TextOptions
from inference.predictors.text import TextPredictor
from inference.text.generation import generate
from tests.kit import char_models as kit
from tests.kit.char_models import recurrent
from tests.text.writing import ids_of, network, pieces, written


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    layers = kit.entries(recurrent("LSTM", 24), recurrent("GRU", 16, reset_after=True))
    return kit.write(tmp_path_factory.mktemp("models") / "model.h5", layers)


@pytest.fixture(scope="module")
def model(path):
    return network(path)


def same(one, other):
    fields = ("ids", "probs", "entropies", "likeliest", "likelihoods")
    for field in fields:
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    np.testing.assert_array_equal(one.state.memory, other.state.memory)
    assert (one.state.last, one.state.index) == (other.state.last, other.state.index)


@settings(max_examples=60)
@given(
    st.text("ab cdé", min_size=1, max_size=12),
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.integers(1, 14),
    st.integers(0, 2**53 - 1),
)
def test_a_text_is_the_same_in_pieces_of_any_sizes(model, seed, counts, top_n, random_state):
    options = TextOptions(top_n, 1.2, random_state)
    found, (whole,) = pieces(model, seed, counts, options), pieces(model, seed, [sum(counts)], options)
    assert ids_of(found) == whole.ids.tolist()
    np.testing.assert_array_equal(np.concatenate([piece.probs for piece in found]), whole.probs)
    np.testing.assert_array_equal(found[-1].state.memory, whole.state.memory)
    assert found[-1].state.index == sum(counts)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.text("abc", min_size=1), st.integers(1, 33)), min_size=1, max_size=10))
def test_an_exact_text_is_the_same_to_the_bit_whoever_else_writes(model, asked):
    prompts = [
        Prompt(str(at), 0, seed, None, count, TextOptions(5, 1.0, at, exact=at % 2 == 0))
        for at, (seed, count) in enumerate(asked)
    ]
    for prompt, piece in zip(prompts, generate(model, prompts), strict=True):
        assert len(piece.ids) == prompt.count
        if prompt.options.exact:
            same(piece, generate(model, [prompt])[0])


def test_texts_that_are_written_together_are_what_they_are_alone_but_for_rounding(model):
    prompts = [
        Prompt(str(at), 0, "abcdefgh"[at:], None, 40 - 4 * at, TextOptions(at + 1, 1.0, at, exact=False))
        for at in range(8)
    ]
    for prompt, piece in zip(prompts, generate(model, prompts), strict=True):
        (alone,) = generate(model, [prompt])
        assert piece.ids.tolist() == alone.ids.tolist()
        np.testing.assert_allclose(piece.probs, alone.probs, atol=1e-5)
        np.testing.assert_allclose(piece.state.memory, alone.state.memory, atol=1e-4)


def test_what_is_told_is_the_model_s_own_before_temperature_and_cut(model):
    (piece,) = pieces(model, "abc", [200], TextOptions(2, 100.0, 3))
    assert (piece.likeliest[:, :2] == piece.ids[:, np.newaxis]).any(axis=1).all(), "drawn from the two"
    assert (piece.ids != piece.likeliest[:, 0]).mean() > 0.3, "nearly as often the second one"
    assert piece.probs.min() < 0.3 and np.isfinite(piece.entropies).all()
    assert ((piece.entropies >= 0) & (piece.entropies <= np.log2(12))).all()
    assert piece.likeliest.shape == piece.likelihoods.shape == (200, 5)
    assert (np.diff(piece.likelihoods, axis=1) <= 0).all() and (piece.likelihoods.sum(axis=1) <= 1).all()


def test_greedy_needs_no_chance_and_another_random_state_gives_another_text(model):
    assert written(model, "ab", 50, TextOptions(1, random_state=1)) == written(model, "ab", 50)
    drawn = [tuple(written(model, "ab", 50, TextOptions(random_state=state))) for state in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_a_vocabulary_smaller_than_the_alternatives_that_are_told(tmp_path):
    letters = ("", "a", "b")
    entries = kit.entries(recurrent("SimpleRNN", 4), size=3)
    model = network(kit.write(tmp_path / "model.h5", entries, vocabulary=letters))
    assert pieces(model, "ab", [4])[0].likeliest.shape == (4, 3)


# ---- the predictor


def test_a_predictor_goes_on_from_a_state(path):
    predictor = TextPredictor(path, threads=1, allow_model_code=False)
    predictor.setup()
    assert predictor.info.vocabulary == kit.LETTERS and predictor.info.notes == ()
    first = predictor.feed(Prompt("run", 0, "ab", None, 3, TextOptions()))
    (piece,) = predictor.predict([first])
    (further,) = predictor.predict([predictor.feed(Prompt("run", 1, "", piece.state, 5, TextOptions()))])
    assert further.state.index == 8 and predictor.stages["inference"] > 0


@pytest.mark.parametrize("memory", [0, 1])
def test_a_predictor_refuses_what_does_not_fit(path, memory):
    predictor = TextPredictor(path)
    predictor.setup()
    with pytest.raises(FrameError, match="seed"):
        predictor.feed(Prompt("run", 0, "", None, 3, TextOptions()))
    (piece,) = predictor.predict([Prompt("run", 0, "a", None, 1, TextOptions())])
    state = type(piece.state)(piece.state.memory[:-1] if memory else piece.state.memory, 11 + (not memory), 1)
    with pytest.raises(FrameError, match="another model"):
        predictor.feed(Prompt("run", 1, "", state, 3, TextOptions()))


def test_two_models_do_not_write_together(path):
    with pytest.raises(ModelError, match="alone"):
        TextPredictor(path, path).setup()


def test_a_model_that_diverges_fails_with_a_sentence(tmp_path):
    layers = kit.entries(recurrent("SimpleRNN", 30, activation="linear"))
    predictor = TextPredictor(kit.write(tmp_path / "model.h5", layers))
    predictor.setup()
    with pytest.raises(FrameError, match="not finite"):
        predictor.predict([Prompt("run", 0, "a", None, 2000, TextOptions())])
