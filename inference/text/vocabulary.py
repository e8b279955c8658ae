"""A character model's vocabulary: which character each of its ids stands for, and the file that says so.

Id 0 is "": it stands for every character that the model does not know. The file is `<model's stem>.json`,
beside the model; a model without one has `DEFAULT`.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from inference import model_files
from inference.errors import ModelError

DEFAULT: tuple[str, ...] = ("", *sorted(set(string.printable) - set("\x0b\x0c\r")))
"""What char-rnn-text-generation uses: 98 ids."""

UNKNOWN = "\ufffd"
"""What id 0 is written as."""

MOST = 65_536
"""Characters of a vocabulary."""


@dataclass(frozen=True)
class VocabularyFile:
    """What stands in a vocabulary's file: each id's character, in order, and what the model was trained on.

    `counts` says how often each id stands in the training text, `text` in words which text that was.
    """

    characters: tuple[str, ...]
    counts: tuple[int, ...] | None = None
    text: str | None = None


def encode(text: str, vocabulary: Sequence[str]) -> list[int]:
    """Each character's id, 0 for those that are not in the vocabulary."""
    ids = _ids(tuple(vocabulary))
    return [ids.get(character, 0) for character in text]


def decode(ids: Iterable[int], vocabulary: Sequence[str]) -> str:
    """Each id's character, UNKNOWN for 0; IndexError for an id that the vocabulary has not."""
    return "".join(vocabulary[index] if index else UNKNOWN for index in ids)


def unknown(text: str, vocabulary: Sequence[str]) -> tuple[str, ...]:
    """The characters that are not in the vocabulary, each once, in the order of their first appearance."""
    ids = _ids(tuple(vocabulary))
    return tuple(dict.fromkeys(character for character in text if character not in ids))


@lru_cache(maxsize=16)
def _ids(vocabulary: tuple[str, ...]) -> dict[str, int]:
    return {character: index for index, character in enumerate(vocabulary) if index}


def read(path: Path) -> VocabularyFile:
    """The content of a vocabulary's file; ModelError, which names the file, says what is wrong with it."""
    content = model_files.read_json(path)
    characters, counts, text = (content.get(key) for key in ("vocabulary", "counts", "text"))
    if not isinstance(characters, list) or not 2 <= len(characters) <= MOST or characters[0] != "":
        raise ModelError(
            f'{path.name}: "vocabulary" has to be a list of each id\'s character, 2 to {MOST:,} of them, the '
            'first of which is "" (it stands for characters that the model does not know).'
        )
    if not all(map(_is_character, characters[1:])) or len(set(characters)) < len(characters):
        raise ModelError(f'{path.name}: each entry of "vocabulary" but the first has to be one character.')
    if counts is not None and not _are_counts(counts, len(characters)):
        raise ModelError(
            f'{path.name}: "counts" has to be a list of {len(characters)} whole numbers from 0, how often '
            "each character stands in the training text."
        )
    if text is not None and not isinstance(text, str):
        raise ModelError(f'{path.name}: "text" has to say in words what the model was trained on.')
    return VocabularyFile(tuple(characters), None if counts is None else tuple(counts), text)


def of(model: Path) -> VocabularyFile:
    """The vocabulary of the model at a path, a file or a folder; DEFAULT if no file says another."""
    file = model_files.companion(model)
    return VocabularyFile(DEFAULT) if file is None else read(file)


def _is_character(value: Any) -> bool:
    """One code point that can be written down: half of a pair of surrogates cannot."""
    return isinstance(value, str) and len(value) == 1 and not "\ud800" <= value <= "\udfff"


def _are_counts(value: Any, length: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == length
        and all(type(count) is int and 0 <= count < 1 << 53 for count in value)
    )


def write(path: Path, content: VocabularyFile) -> None:
    """Write a vocabulary's file, as `read` takes it; OSError."""
    said: dict[str, Any] = {"vocabulary": content.characters}
    if content.counts is not None:
        said["counts"] = content.counts
    if content.text is not None:
        said["text"] = content.text
    path.write_text(json.dumps(said, indent=0) + "\n", encoding="utf-8")
