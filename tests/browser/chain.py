"""A Markov chain over characters, as the messages that the real server sends for a text.

A character's probability follows from the one before it, as counted in a short text, so that what the page
shows can be held against it.
"""

from __future__ import annotations

import json
import math
from bisect import bisect
from collections.abc import Iterator
from functools import cache
from itertools import accumulate, pairwise

import numpy as np

LEARNED = """A lamp stood at the end of the quay, and under it a man was counting nets.
"Seven," he said, "and one that the tide has taken."
Nobody asked him which. The boats lay still; the water was black & smooth < glass.
In the morning the wind came round to the north, and they went out, all but the smallest.
"What is it that you wait for?" asked the boy. The man looked at the lamp, which burned by day.
"For the eighth," he said. "There is always one more than the nets can hold."
"""
UNKNOWN = "\ufffd"
"""What the id 0 is written as."""
VOCABULARY = ("", *sorted(set(LEARNED)))
COUNTS = [0, *(LEARNED.count(character) for character in VOCABULARY[1:])]
SIZES = (1, 1, 2, 4, 8, 16)
"""Characters of a text's first messages; the others have 32."""


def unknown(seed: str) -> list[str]:
    """The characters that the chain does not know, each once."""
    return list(dict.fromkeys(character for character in seed if character not in VOCABULARY))


@cache
def probabilities(before: str) -> dict[str, float]:
    """The probability of each character behind another."""
    pairs = [after for one, after in pairwise(LEARNED) if one == before]
    weights = [pairs.count(each) + 0.02 * LEARNED.count(each) / len(LEARNED) for each in VOCABULARY[1:]]
    return dict(zip(VOCABULARY[1:], (weight / sum(weights) for weight in weights), strict=True))


@cache
def entropy(before: str) -> float:
    """The entropy behind a character, in bits."""
    return -sum(p * math.log2(p) for p in probabilities(before).values() if p)


@cache
def likeliest(before: str) -> list[tuple[str, float]]:
    """The five likeliest characters behind another, and their probabilities."""
    return sorted(probabilities(before).items(), key=lambda each: -each[1])[:5]


@cache
def _ladder(before: str, top_n: int, temperature: float) -> tuple[list[str], list[float]]:
    ranked = sorted(probabilities(before).items(), key=lambda each: -each[1])[:top_n]
    heights = list(accumulate(p ** (1 / temperature) for _, p in ranked))
    return [character for character, _ in ranked], [height / heights[-1] for height in heights]


def text(seed: str, length: int, top_n: int, temperature: float, random_state: int) -> str:
    """What the chain writes behind a seed."""
    written, before = [], seed[-1]
    for draw in np.random.default_rng(random_state).random(length):
        characters, heights = _ladder(before, top_n, temperature)
        before = characters[min(bisect(heights, draw), len(characters) - 1)]
        written.append(before)
    return "".join(written)


def pieces(length: int) -> Iterator[tuple[int, int]]:
    """The first character of each message and the first behind it."""
    at, number = 0, 0
    while at < length:
        end = min(length, at + (SIZES[number] if number < len(SIZES) else 32))
        yield at, end
        at, number = end, number + 1


@cache
def _encoded(before: str, character: str) -> tuple[str, str, str]:
    prob = json.dumps(probabilities(before).get(character, 0.0))
    return prob, json.dumps(entropy(before)), json.dumps(likeliest(before))


def message(seed: str, written: str, start: int, end: int) -> bytes:
    """One message of a text."""
    before = (seed[-1] + written)[start:end]
    probs, entropies, alternatives = zip(*map(_encoded, before, written[start:end]), strict=True)
    lists = f'"probs": [{",".join(probs)}], "entropies": [{",".join(entropies)}]'
    shown = f'"text": {json.dumps(written[start:end])}, {lists}, "alternatives": [{",".join(alternatives)}]'
    return f'id: {start}\ndata: {{"index": {start}, {shown}}}\n\n'.encode()
