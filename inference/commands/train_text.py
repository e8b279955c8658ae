"""Train a character model on a folder of texts, and write it where the page finds it.

  python -m inference train-text --data-dir poems/
  python -m inference train-text --data-dir poems/ --restore --learning-rate 0.0003

After each epoch the model is tried on the last part of the text, which it is not trained on, and is written
if it did better than before: the file is always the best. Beside it, in a JSON file, stands its vocabulary.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from inference.commands.progress import VERBOSITIES
from inference.commands.training import Session
from inference.errors import RequestError
from inference.logs import stderr_to_log
from inference.settings import Settings
from inference.text import vocabulary
from inference.text.vocabulary import VocabularyFile
from inference.training import corpus
from inference.training.shapes import CELLS, Shape, Weights, restore

_SUFFIXES = (".h5", ".hdf5", ".keras")
_SHAPE = {"embedding_size": "embedding", "rnn_size": "units", "num_layers": "layers", "cell": "cell"}
"""Options that say what a network is made of, and what `Shape` calls them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments, named as char-rnn trainers name them."""
    add = parser.add_argument
    add("--data-dir", type=Path, required=True, metavar="DIR", help="folder of UTF-8 texts (.txt)")
    add(
        "--checkpoint-path", type=Path, metavar="FILE",
        help="the file to write: .h5, .hdf5 or .keras (default: named as the folder is, in models/)",
    )  # fmt: skip
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--restore", action="store_true", help="go on from the checkpoint's weights")
    begin.add_argument("--overwrite", action="store_true", help="begin anew, though the file is there")
    add("--about", metavar="WORDS", help="what the text is, for those who see what the model writes")
    add(
        "--vocabulary", choices=("printable", "text"),
        help="printable: the 97 printable characters of ASCII (the default); text: those of the text",
    )  # fmt: skip
    add = parser.add_argument_group("the network").add_argument
    add("--embedding-size", type=_size, metavar="N", help="numbers that stand for a character (default: 64)")
    add("--rnn-size", type=_size, metavar="N", help="units of a layer (default: 512)")
    add("--num-layers", type=_size, metavar="N", help="recurrent layers (default: 1)")
    add("--cell", choices=list(CELLS), help="kind of the layers (default: lstm)")
    add = parser.add_argument_group("the training").add_argument
    for flag, kind, default, what in (
        ("--drop-rate", _drop, 0.05, "share of values dropped between layers"),
        ("--clip-norm", _above_zero, 5.0, "largest norm of a gradient"),
        ("--learning-rate", _above_zero, 0.001, "of rmsprop"),
        ("--batch-size", _size, 128, "pieces of the text that are read side by side"),
        ("--seq-len", _size, 32, "characters that are read before a step"),
        ("--num-epochs", _size, 10, "how often the text is read"),
        ("--validation-split", _split, 0.1, "last part of the text, which is held back"),
    ):
        metavar = "N" if kind is _size else "X"
        add(flag, type=kind, default=default, metavar=metavar, help=f"{what} (default: %(default)g)")
    add("--random-state", type=_seed, metavar="N", help="repeats a training on the same machine")
    add("--log-dir", type=Path, metavar="DIR", help="folder for TensorBoard's logs")
    parser.add_argument("--verbosity", choices=VERBOSITIES, default="rich", help="how progress is shown")


def _size(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 100000")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _above_zero(text: str) -> float:
    if not 0 < (number := _number(text)) <= 1e6:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0, up to 1000000")
    return number


def _drop(text: str) -> float:
    if not 0 <= (number := _number(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no share from 0 to below 1")
    return number


def _split(text: str) -> float:
    if not 0 < (number := _number(text)) <= 0.5:
        raise argparse.ArgumentTypeError(f"{text} is no share above 0, up to 0.5")
    return number


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text) < 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to {2**32 - 1}")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Train; 2 if what is asked for makes no sense."""
    path = _checkpoint(options)
    _make_log_dir(options.log_dir)
    text = corpus.read(options.data_dir)
    shape, weights, characters = restore(path) if options.restore else _new(options, text)
    _say_unknown(text, characters)
    ids = np.array(vocabulary.encode(text, characters), np.int32)
    learn, held_out = corpus.split(ids, options.batch_size, options.seq_len, options.validation_split)
    about = options.about or options.data_dir.resolve().name
    beside = VocabularyFile(characters, tuple(np.bincount(ids, minlength=len(characters)).tolist()), about)
    with stderr_to_log():
        # only now, since it takes seconds
        from inference.training import network
    if options.random_state is not None:
        network.seed(options.random_state)
    steps = network.Steps(options.drop_rate, options.clip_norm, options.learning_rate, options.batch_size)
    trainer = network.Trainer(shape, steps, weights)
    board = network.Board(options.log_dir) if options.log_dir else None
    session = Session(trainer, path, beside, board, options.num_epochs, options.verbosity)
    session.run(learn, held_out, restored=options.restore)
    return 0


def _checkpoint(options: argparse.Namespace) -> Path:
    """The file to write; RequestError if it cannot be, or is not to be."""
    name = options.data_dir.resolve().name or "text"
    path: Path = options.checkpoint_path or Settings().models / f"{name}{_SUFFIXES[0]}"
    if path.suffix not in _SUFFIXES:
        raise RequestError(f"{path.name} is no name of a model: it has to end in {', '.join(_SUFFIXES)}")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise RequestError(f"{path.parent} is no folder that {path.name} can be written into")
    there = [file for file in (path, path.with_suffix(".json")) if file.exists()]
    if options.restore:
        _refuse_shape(options, path)
        if path not in there:
            raise RequestError(f"there is no {path} to go on from: leave out --restore to begin it")
    elif there and not options.overwrite:
        raise RequestError(f"{there[0]} is there: --restore goes on from a model, --overwrite begins anew")
    return path


def _make_log_dir(folder: Path | None) -> None:
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"{folder} cannot be a folder for logs: {error.strerror}") from error


def _refuse_shape(options: argparse.Namespace, path: Path) -> None:
    for name in (*_SHAPE, "vocabulary"):
        if getattr(options, name) is not None:
            flag = name.replace("_", "-")
            raise RequestError(f"--{flag} cannot be given with --restore: {path.name} says that itself")


def _new(options: argparse.Namespace, text: str) -> tuple[Shape, Weights | None, tuple[str, ...]]:
    characters = ("", *sorted(set(text))) if options.vocabulary == "text" else vocabulary.DEFAULT
    given = {field: getattr(options, name) for name, field in _SHAPE.items()}
    chosen = {field: value for field, value in given.items() if value is not None}
    return Shape(len(characters), **chosen), None, characters


def _say_unknown(text: str, characters: tuple[str, ...]) -> None:
    if unknown := vocabulary.unknown(text, characters):
        shown = " ".join(unknown[:10]) + (" …" if len(unknown) > 10 else "")
        print(f"Not in the vocabulary, and learned as one unknown character: {shown}", file=sys.stderr)
