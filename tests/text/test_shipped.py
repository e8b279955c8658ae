"""The character model that ships: what its file holds, and what it learned."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import h5py
import numpy as np
import pytest

from inference.messages import Prompt, TextOptions
from inference.settings import HERE
from inference.text import files, vocabulary
from inference.text.generation import generate
from inference.text.recurrent import Network, Steps

MODEL = HERE / "models" / "shakespeare.h5"


@pytest.fixture(scope="module")
def plays(shared_data) -> str:
    return (shared_data / "text" / "tinyshakespeare.txt").read_text()


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(files.read(MODEL))


def test_it_is_small_and_complete() -> None:
    beside = MODEL.with_suffix(".json")
    assert MODEL.stat().st_size + beside.stat().st_size <= 6e6
    with h5py.File(MODEL) as file:
        assert set(file) == {"model_weights"} and "training_config" not in file.attrs
        held: list[h5py.Dataset] = []
        file.visititems(lambda _, found: held.append(found) if isinstance(found, h5py.Dataset) else None)
    assert len(held) == 6


def test_its_vocabulary_is_the_usual_one_and_says_what_it_read() -> None:
    model = files.read(MODEL)
    assert model.vocabulary.characters == vocabulary.DEFAULT and model.notes == ()
    counts = model.vocabulary.counts
    assert counts is not None and counts[0] == 0
    by_letter = dict(zip(vocabulary.DEFAULT, counts, strict=True))
    assert max(by_letter, key=by_letter.__getitem__) == " "
    assert "Shakespeare" in (model.vocabulary.text or "")


def test_what_it_writes_is_made_of_words(network, plays) -> None:
    seed = "The meaning of life is "
    (piece,) = generate(network, [Prompt("", 0, seed, None, 100, TextOptions(top_n=1))])
    written = vocabulary.decode(piece.ids.tolist(), network.vocabulary)
    # the last may be cut off
    words = words_of(written)[:-1]
    known = Counter(words_of(plays))
    assert len(words) >= 15
    assert sum(known[word] >= 5 for word in words) / len(words) >= 0.8, written


def words_of(text: str) -> list[str]:
    return re.findall("[a-z]+", text.lower())


def test_it_knows_text_that_it_was_not_trained_on(network, plays) -> None:
    """It takes 2.4 bits for a character of the tenth that was held back; by frequencies alone it were 4.8."""
    ids = np.array(vocabulary.encode(plays[-len(plays) // 10 :], network.vocabulary))
    rows = ids[: len(ids) // 400 * 400].reshape(400, -1)
    steps = Steps(network, np.zeros((400, network.memory), np.float32))
    surprise = []
    for read, following in pairwise(rows.T):
        steps.feed(read)
        logits = steps.logits().astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        surprise.append(np.log2(np.exp(logits).sum(axis=1)) - logits[range(400), following] / np.log(2))
    assert np.mean(surprise) < 2.4
