"""Write text with a character model, a character at a time.

  python -m inference generate --checkpoint-path model.h5 --seed "The meaning of life is "
  python -m inference generate --checkpoint-path model.h5 --text-path book.txt --length 100 > out.txt

Only the text goes to stdout, the seed first, as it comes; all else to stderr. The same --random-state gives
the same text again.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from inference import looking
from inference.engines.converted import Cache
from inference.errors import InferenceError, ModelError, RequestError
from inference.logs import configure_log
from inference.messages import Prompt, TextInfo, TextOptions
from inference.parameters import LARGEST
from inference.pieces import count_of, pieces_of
from inference.predictors.text import TextPredictor
from inference.settings import Settings
from inference.text import seeds, vocabulary
from inference.text.query import LENGTH, TextQuery, parse_query


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments; numbers are read as those of a request are."""
    defaults = TextOptions()
    parser.add_argument(
        "--checkpoint-path", type=Path, required=True, metavar="M", help="the model: .h5, .hdf5 or .keras"
    )
    begin = parser.add_mutually_exclusive_group(required=True)
    begin.add_argument("--seed", help="what the text begins with")
    begin.add_argument(
        "--text-path", type=Path, metavar="F",
        help=f"a text, of which a random piece of {_sizes()} characters is the seed",
    )  # fmt: skip
    parser.add_argument(
        "--length", default=LENGTH, metavar="N", help="characters behind the seed (default: %(default)s)"
    )
    parser.add_argument(
        "--top-n", default=defaults.top_n, metavar="N",
        help="draw from the N likeliest characters; 1: always the likeliest (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--temperature", default=defaults.temperature, metavar="T",
        help="above 1 the unlikely become likelier, below 1 less likely (default: 1)",
    )  # fmt: skip
    parser.add_argument("--random-state", metavar="N", help="gives the same text again (default: a new one)")
    parser.add_argument("--cache", type=Path, default=Settings().cache, help="default: cache, beside app.py")


def _sizes() -> str:
    *first, last = map(str, seeds.SIZES)
    return f"{', '.join(first)} or {last}"


def run(options: argparse.Namespace) -> int:
    """Write the text; 2 if what is asked for makes no sense, or the model is none."""
    configure_log("error")
    if sys.stdout is None:
        raise RequestError("stdout is closed: there is nowhere to write the text.")
    # whatever the locale: the text may hold any character, and a seed any byte
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    query = _query(options)
    predictor = _opened(options)
    _say(query, predictor.info, options)
    try:
        for text in itertools.chain([query.seed], _pieces(predictor, query)):
            sys.stdout.write(text)
            sys.stdout.flush()
        if sys.stdout.isatty():
            # the prompt is to stand on a line of its own; whoever reads on gets the text alone
            print(flush=True)
    except OSError as error:
        # what is left in the buffer would be written once more at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise InferenceError(f"The text cannot be written: {error.strerror}.") from error
    return 0


def _query(options: argparse.Namespace) -> TextQuery:
    """What is asked for, by the rules of a request."""
    given = {
        name: [str(value)]
        for name in ("length", "top_n", "temperature", "random_state")
        if (value := getattr(options, name)) is not None
    }
    drawn = secrets.randbelow(LARGEST)
    # the numbers first: the seed may need one of them
    checked = parse_query({**given, "seed": ["-"]}, None, drawn)
    seed = options.seed
    if seed is None:
        seed = seeds.piece_of(options.text_path, checked.options.random_state)
    return parse_query({**given, "seed": [seed]}, None, drawn)


def _opened(options: argparse.Namespace) -> TextPredictor:
    # a model has to stand directly in its folder, and to be found there by its own name
    try:
        path = options.checkpoint_path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise RequestError(f"There is no model {options.checkpoint_path}.") from error
    predictor = TextPredictor(path)
    try:
        looking.look(Cache(options.cache, Settings().cache_bytes), [path], allow_model_code=False)
        predictor.setup()
    except ModelError as error:
        raise RequestError(str(error)) from error
    return predictor


def _say(query: TextQuery, info: TextInfo, options: argparse.Namespace) -> None:
    """What whoever reads the text has to know; nothing where stderr is closed, since it must not go to
    stdout.
    """
    if sys.stderr is None:
        return
    for note in info.notes:
        print(note, file=sys.stderr)
    if unknown := vocabulary.unknown(query.seed, info.vocabulary):
        listed = ", ".join(map(repr, unknown))
        print(
            f"The model does not know {listed}: kept in the text, and fed to it as the unknown character.",
            file=sys.stderr,
        )
    if options.random_state is None:
        print(f"--random-state {query.options.random_state} gives this text again.", file=sys.stderr)


def _pieces(predictor: TextPredictor, query: TextQuery) -> Iterator[str]:
    """The text behind the seed, piece by piece."""
    state = None
    for number in range(pieces_of(query.length)):
        count = count_of(number, query.length)
        prompt = predictor.feed(Prompt("", number, query.seed, state, count, query.options))
        (piece,) = predictor.predict([prompt])
        state = piece.state
        yield vocabulary.decode(piece.ids, predictor.info.vocabulary)
