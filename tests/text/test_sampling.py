"""From logits to a character: as the words say, and as NumPy's own `choice` draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inference.errors import FrameError
from inference.messages import TextOptions
from inference.text import sampling
from inference.text.sampling import Sampler

EXAMPLE = np.array([0.13, 0.42, 0.33, 0.12])

chances = arrays.arrays(np.float64, st.integers(2, 50), elements=st.floats(0, 1)).filter(
    lambda values: values.sum() > 1e-3
)
logits = arrays.arrays(np.float32, st.integers(2, 120), elements=st.floats(-30, 30, width=32))


@pytest.mark.parametrize(
    ("given", "top_n", "expected"),
    [
        (EXAMPLE, 2, [0, 0.56, 0.44, 0]),
        (EXAMPLE, 1, [0, 1, 0, 0]),
        (EXAMPLE, 4, EXAMPLE),
        (EXAMPLE, 10**30, EXAMPLE),
        ([0.25, 0.25, 0.25, 0.25], 3, [1 / 3, 1 / 3, 1 / 3, 0]),
        ([0.1, 0.3, 0.3, 0.3], 2, [0, 0.5, 0.5, 0]),
        ([0.0, 0.0, 1.0, 0.0], 2, [0, 0, 1, 0]),
    ],
)
def test_the_cut(given, top_n, expected):
    np.testing.assert_allclose(sampling.cut(np.array(given), top_n), expected, atol=1e-12)


@given(chances, st.integers(1, 60))
def test_exactly_so_many_are_kept_and_they_are_the_largest(values, top_n):
    values = values / values.sum()
    cut = sampling.cut(values, top_n)
    kept = cut > 0
    assert cut.sum() == pytest.approx(1) and kept.sum() == min(top_n, np.count_nonzero(values))
    assert values[kept].min() >= values[~kept].max(initial=0)
    np.testing.assert_allclose(cut[kept], values[kept] / values[kept].sum())
    ties = np.flatnonzero(values == values[kept].min())
    assert (np.diff(kept[ties].astype(int)) <= 0).all(), "of equal ones those with lower ids"


@pytest.mark.parametrize("temperature", [0.01, 0.5, 1.0, 2.0, 100.0])
def test_temperature_is_a_power_of_the_probabilities(temperature):
    given = np.log(EXAMPLE).astype(np.float32)
    powers = EXAMPLE ** (1 / temperature)
    np.testing.assert_allclose(sampling.probabilities(given, temperature), powers / powers.sum(), rtol=1e-4)


def test_probabilities_are_in_float64_and_finite_at_any_temperature():
    given = np.array([1e30, 0, -1e30, np.log(1e-30)], np.float32)
    for temperature in (1e-300, 1e-5, 1.0, 100.0):
        with np.errstate(over="ignore"):
            found = sampling.probabilities(given, temperature)
        assert found.dtype == np.float64 and np.isfinite(found).all() and found.sum() == 1


@settings(max_examples=200)
@given(logits, st.integers(1, 130), st.floats(0.1, 10), st.integers(0, 2**53 - 1))
def test_every_draw_is_that_of_choice(values, top_n, temperature, random_state):
    rng = np.random.default_rng(random_state)
    p = sampling.cut(sampling.probabilities(values, temperature), top_n)
    expected = [rng.choice(len(p), p=p) for _ in range(20)]
    sampler = Sampler([TextOptions(top_n, temperature)], len(values))
    numbers = sampling.uniforms(random_state, 0, 20)
    assert [sampler.draw(values[np.newaxis], numbers[at : at + 1])[0] for at in range(20)] == expected


@given(st.integers(0, 2**53 - 1), st.integers(0, 100_000), st.integers(1, 40))
def test_draws_are_counted_from_the_first_character_on(random_state, first, count):
    whole = np.random.default_rng(random_state).random(first + count)
    np.testing.assert_array_equal(sampling.uniforms(random_state, first, count), whole[first:])


def test_rows_with_options_of_their_own_are_drawn_as_each_alone():
    options = [TextOptions(1), TextOptions(3, 0.5), TextOptions(10**9, 2.0), TextOptions(2)]
    rows = np.random.default_rng(0).normal(size=(4, 30)).astype(np.float32)
    rows[3] = 0  # ties in one of them only
    together = Sampler(options, 30)
    for number in np.linspace(0, 0.999, 50):
        uniform = np.full(4, number)
        alone = [
            Sampler([one], 30).draw(row[np.newaxis], uniform[:1])[0]
            for one, row in zip(options, rows, strict=True)
        ]
        assert together.draw(rows, uniform).tolist() == alone
        assert together.draw(rows[:2], uniform[:2]).tolist() == alone[:2]
    assert alone[0] == rows[0].argmax() and alone[3] in (0, 1)


def test_a_hundred_thousand_draws_come_as_often_as_is_likely():
    sampler = Sampler([TextOptions(2)], 4)
    rows = np.log(EXAMPLE)[np.newaxis]
    drawn = [sampler.draw(rows, one)[0] for one in sampling.uniforms(7, 0, 100_000)[:, np.newaxis]]
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(shares, [0, 0.56, 0.44, 0], atol=0.01)


def test_what_is_told_of_a_character():
    rows = np.log(np.array([[0.5, 0.25, 0.25], [1, 1e-300, 1e-300]]))
    probs, entropies, likeliest, likelihoods = sampling.statistics(rows, np.array([2, 0]))
    np.testing.assert_allclose(probs, [0.25, 1])
    np.testing.assert_allclose(entropies, [1.5, 0], atol=1e-9)
    assert likeliest.tolist() == [[0, 1, 2], [0, 1, 2]], "the likeliest first, of equal ones the lower id"
    np.testing.assert_allclose(likelihoods[0], [0.5, 0.25, 0.25])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_drawn_from_but_refused(value):
    rows = np.array([[0.0, value, 0.0]])
    with np.errstate(all="ignore"):
        drawn = Sampler([TextOptions(2)], 3).draw(rows, np.array([0.999]))
        assert 0 <= drawn[0] < 3
        with pytest.raises(FrameError, match="not finite"):
            sampling.statistics(rows, drawn)
