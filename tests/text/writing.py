"""What tests write texts with: a network in, ids out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from inference.messages import Prompt, TextOptions, TextPiece
from inference.text import files
from inference.text.generation import generate
from inference.text.recurrent import Network, Steps

GREEDY = TextOptions(top_n=1)


def network(path: Path) -> Network:
    return Network(files.read(path))


def logits_of(model: Network, ids: Iterable[int]) -> Any:
    """What a network says behind each of some characters, (characters, vocabulary)."""
    steps, said = Steps(model, np.zeros((1, model.memory), np.float32)), []
    for index in ids:
        steps.feed(np.array([index]))
        said.append(steps.logits()[0])
    return np.array(said)


def pieces(
    model: Network, seed: str, counts: Iterable[int], options: TextOptions = GREEDY
) -> list[TextPiece]:
    """A text in pieces of these sizes."""
    found: list[TextPiece] = []
    for number, count in enumerate(counts):
        state = found[-1].state if found else None
        found += generate(model, [Prompt("run", number, seed, state, count, options)])
    return found


def ids_of(found: Iterable[TextPiece]) -> list[int]:
    return [int(index) for piece in found for index in piece.ids]


def written(model: Network, seed: str, count: int, options: TextOptions = GREEDY) -> list[int]:
    """The ids of a text in one piece."""
    return ids_of(pieces(model, seed, [count], options))
