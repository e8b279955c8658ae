"""From a network's outputs to the next character: temperature, cut, draw. Pure.

All in float64. A draw takes the very character that `numpy.random.default_rng(…).choice` would, given the
same probabilities and the same uniform number. Rows are texts that are written together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.errors import FrameError
from inference.messages import TextOptions

Floats = npt.NDArray[np.float64]

LIKELIEST = 5
"""How many of the likeliest characters are told."""


def probabilities(logits: npt.NDArray[Any], temperature: float | Floats = 1.0) -> Floats:
    """The probabilities (…, characters) of logits of that shape, each raised to 1 / `temperature`, rescaled.

    `temperature` is one number, or one for each row, (…, 1).
    """
    powers: Floats = logits.astype(np.float64)
    # before the division: a tiny temperature makes nothing infinite that is not far below the largest
    powers -= np.maximum.reduce(powers, axis=-1, keepdims=True)
    powers /= temperature
    np.exp(powers, out=powers)
    powers /= np.add.reduce(powers, axis=-1, keepdims=True)
    return powers


def cut(chances: Floats, top_n: int) -> Floats:
    """Probabilities (characters,) with all but the `top_n` largest at 0, rescaled to sum 1.

    Exactly so many are kept: of equal ones those with lower ids.
    """
    rows = chances[np.newaxis].copy()
    _Cut([top_n], chances.size).make(rows)
    return rows.reshape(-1)


class _Cut:
    """Cuts the probabilities of some texts, each to a number of its own."""

    def __init__(self, top_n: Sequence[int], size: int) -> None:
        self._kept = [min(count, size) for count in top_n]
        self._rows = np.arange(len(top_n))
        self._ranks = size - np.array(self._kept)
        self._totals = [sum(self._kept[:rows]) for rows in range(len(top_n) + 1)]
        self._cuts_any = min(self._kept) < size

    def make(self, chances: Floats) -> None:
        """Cut and rescale each row of (rows, size), in place; they may be fewer: the first ones."""
        if self._cuts_any:
            rows = len(chances)
            least = np.sort(chances, axis=1)[self._rows[:rows], self._ranks[:rows], np.newaxis]
            is_kept = chances >= least
            if np.count_nonzero(is_kept) > self._totals[rows]:
                _drop_ties(is_kept, chances == least, self._kept[:rows])
            chances *= is_kept
        chances /= np.add.reduce(chances, axis=1, keepdims=True)


def _drop_ties(is_kept: npt.NDArray[np.bool_], is_least: npt.NDArray[np.bool_], kept: Sequence[int]) -> None:
    """Of those that equal a row's least to be kept, keep only the first, so that `kept` remain."""
    for row, ties, count in zip(is_kept, is_least, kept, strict=True):
        surplus = np.count_nonzero(row) - count
        row[np.flatnonzero(ties)[::-1][:surplus]] = False


class Sampler:
    """Draws the next characters of some texts, each with options of its own."""

    def __init__(self, options: Sequence[TextOptions], size: int) -> None:
        """For a vocabulary of that size."""
        self._temperature = np.array([[one.temperature] for one in options])
        self._cut = _Cut([one.top_n for one in options], size)
        self._is_greedy = all(one.top_n == 1 for one in options)

    def draw(self, logits: npt.NDArray[Any], uniform: Floats) -> npt.NDArray[np.int64]:
        """The next id of each row, (rows,), from logits (rows, characters) and a number from 0 to 1 for each.

        The rows may be fewer than the options: the first ones. What comes of logits that are not finite are
        ids, too; `statistics` refuses them.
        """
        if self._is_greedy:
            likeliest: npt.NDArray[np.int64] = logits.argmax(axis=1)
            return likeliest
        chances = probabilities(logits, self._temperature[: len(logits)])
        self._cut.make(chances)
        sums = np.add.accumulate(chances, axis=1)
        sums /= sums[:, -1:]
        drawn: npt.NDArray[np.int64] = np.add.reduce(sums <= uniform[:, np.newaxis], axis=1, dtype=np.int64)
        return drawn


def uniforms(random_state: int, first: int, count: int) -> Floats:
    """Draws number `first` up to, not including, `first + count` of the generator of a random state."""
    bits = np.random.PCG64(random_state)
    return np.random.Generator(bits.advance(first)).random(count)


def statistics(
    logits: npt.NDArray[Any], ids: npt.NDArray[np.int64]
) -> tuple[Floats, Floats, npt.NDArray[np.int64], Floats]:
    """What logits (n, characters) say of n drawn ids, before temperature and cut.

    Probabilities (n,), entropies (n,) in bits, the likeliest ids (n, 5 or all), the likeliest first, of
    equal ones the lower, and their probabilities.
    """
    chances = probabilities(logits)
    if not np.isfinite(chances).all():
        raise FrameError("the model's output is not finite here: there are no probabilities to draw from.")
    places = np.arange(len(ids))
    logs = np.log2(chances, out=np.zeros_like(chances), where=chances > 0)
    entropies = np.abs(np.einsum("nc,nc->n", chances, logs))
    likeliest = np.argsort(-chances, axis=1, kind="stable")[:, :LIKELIEST]
    return chances[places, ids], entropies, likeliest, chances[places[:, np.newaxis], likeliest]
