"""What a terminal sees of a training, and what of it is kept.

The law of this file: each epoch is told, with a text that the network writes by then, and the best are
written down. What an epoch is stands in `inference.training`.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inference.commands.progress import Report, reporter
from inference.errors import ModelError
from inference.messages import Prompt, TextOptions
from inference.text import vocabulary
from inference.text.generation import generate
from inference.text.recurrent import Network
from inference.text.vocabulary import VocabularyFile
from inference.training.corpus import Streams
from inference.training.epochs import Epoch, train
from inference.training.shapes import as_read

if TYPE_CHECKING:
    from inference.training.network import Board, Trainer

_SEED, _SAMPLE = 16, 300
"""Characters that a sample begins with, and that the network writes behind them."""


@dataclass(frozen=True)
class Session:
    """One training of so many epochs; `beside` is what is written beside the model at `path`."""

    trainer: Trainer
    path: Path
    beside: VocabularyFile
    board: Board | None
    epochs: int
    verbosity: str

    def run(self, learn: Streams, held_out: Streams, *, restored: bool) -> None:
        """Train. However it ends, what is said last is which epoch's model the file holds."""
        to_beat = math.inf
        if restored:
            to_beat = self.trainer.validate(held_out)
            self._say(f"{self.path} has a {_loss(to_beat)}. The optimizer begins anew.")
        best = None
        try:
            with reporter(self.verbosity, f"Training {self.path.name}", "characters") as report:
                progress = _Progress(report, learn.characters * self.epochs)
                for epoch in train(self.trainer, learn, held_out, self.epochs, to_beat, progress.step):
                    if epoch.best:
                        self._write()
                        best = epoch
                    self._tell(epoch, held_out)
        finally:
            self._say(_kept(self.path, best))

    def _write(self) -> None:
        try:
            with _together(self.path, self.path.with_suffix(".json")) as (model, beside):
                self.trainer.save(model)
                vocabulary.write(beside, self.beside)
        except OSError as error:
            raise ModelError(f"{self.path} cannot be written: {error.strerror or error}.") from error

    def _tell(self, epoch: Epoch, held_out: Streams) -> None:
        if self.board:
            self.board.write(epoch.epoch, epoch.loss, epoch.validation_loss)
        if self.verbosity == "json":
            print(json.dumps(asdict(epoch)), flush=True)
        if self.verbosity == "rich":
            judged = "the best so far" if epoch.best else "no better than before"
            losses = f"loss {epoch.loss:.3f}, {_loss(epoch.validation_loss)}"
            self._say(f"Epoch {epoch.epoch} of {self.epochs}: {losses}, {judged}. It writes:")
            self._say(f"\n{self._sample(held_out)}\n")

    def _say(self, text: str) -> None:
        if self.verbosity != "none":
            print(text, file=sys.stderr)

    def _sample(self, held_out: Streams) -> str:
        """What the network writes by now, behind the first characters of the text that is held back."""
        network = Network(as_read(self.path.name, self.trainer.shape, self.trainer.weights, self.beside))
        seed = vocabulary.decode(held_out.ids[0, :_SEED].tolist(), self.beside.characters)
        prompt = Prompt("", 0, seed, None, _SAMPLE, TextOptions())
        (piece,) = generate(network, [prompt])
        return seed + vocabulary.decode(piece.ids.tolist(), self.beside.characters)


@contextmanager
def _together(*paths: Path) -> Iterator[list[Path]]:
    """Where to write files that are of no use alone: they take their places once all of them are whole."""
    partial = [path.with_name(f".{path.stem}.partial{path.suffix}") for path in paths]
    try:
        yield partial
        for written, path in zip(partial, paths, strict=True):
            written.replace(path)
    finally:
        for written in partial:
            written.unlink(missing_ok=True)


class _Progress:
    """What a bar shows of a training: the characters that were read, and the loss of late."""

    def __init__(self, report: Report, total: int) -> None:
        self._report = report
        self._done = 0
        self._total = total

    def step(self, characters: int, loss: float) -> None:
        self._done += characters
        self._report(self._done, self._total, loss=loss)


def _loss(validation: float) -> str:
    return f"validation loss of {validation:.3f} nats a character ({validation / math.log(2):.3f} bits)"


def _kept(path: Path, best: Epoch | None) -> str:
    if best is None:
        before = f"{path} is as it was" if path.exists() else "Nothing was written"
        return f"{before}: no epoch ended that was better."
    return f"{path} holds the model of epoch {best.epoch}, with a {_loss(best.validation_loss)}."
