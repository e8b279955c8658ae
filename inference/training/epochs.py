"""Epoch after epoch, and which of them was the best.

The law of this file: the order of things in a training. It knows neither TensorFlow nor a terminal, nor
where anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from inference.training.corpus import Streams


class Learner(Protocol):
    """What learns; losses are means in nats a character."""

    def epoch(self, text: Streams, done: Callable[[int, float], None]) -> float:
        """Train on all of a text; `done` is told of each step's characters, and of the loss lately."""

    def validate(self, text: Streams) -> float:
        """The loss on a text, with nothing learned from it."""


@dataclass(frozen=True)
class Epoch:
    """How an epoch ended, from 1; `best`: with the lowest validation loss of all up to it."""

    epoch: int
    loss: float
    validation_loss: float
    best: bool


def train(
    learner: Learner,
    text: Streams,
    held_out: Streams,
    number: int,
    to_beat: float,
    done: Callable[[int, float], None],
) -> Iterator[Epoch]:
    """So many epochs, one whenever it is asked for; only those below `to_beat` can be the best."""
    for epoch in range(1, number + 1):
        loss, validation = learner.epoch(text, done), learner.validate(held_out)
        yield Epoch(epoch, loss, validation, validation < to_beat)
        to_beat = min(to_beat, validation)
