"""The text that a character model is trained on: read from a folder, and cut into streams that go on.

The law of this file: files and arrays of ids, no TensorFlow. What is said of a file is said to whoever
named the folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference.errors import RequestError

SUFFIX = ".txt"
"""What a text file's name ends in."""

Ids = npt.NDArray[np.int32]


def read(folder: Path) -> str:
    """The text files in a folder and in those below it, in the order of their names, a line apart.

    Line ends become \\n. RequestError if there is no such folder, no text in it, or one that is no UTF-8.
    """
    if folder.is_file():
        raise RequestError(f"{folder} is a file: name the folder that it is in")
    if not folder.is_dir():
        raise RequestError(f"there is no folder {folder}")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() == SUFFIX and file.is_file())
    if not files:
        raise RequestError(f"{folder} holds no text: what is read are files whose names end in {SUFFIX}")
    texts = [text for text in map(_read, files) if text]
    if not texts:
        raise RequestError(f"{folder} holds no text: each of its {SUFFIX} files is empty")
    return "\n".join(texts)


def _read(file: Path) -> str:
    try:
        # -sig: Windows' editors begin UTF-8 with a mark that is no part of the text
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{file} is no UTF-8 text (its byte {error.start} is none): save it as UTF-8, or take it away"
        ) from error
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class Streams:
    """A text cut into as many pieces as a batch has rows, which are read side by side.

    `ids` (rows, n) and `following` (rows, n), each character's next. A window of them goes on in each row
    where the window before it ended, so that a network's memory can be carried along.
    """

    ids: Ids
    following: Ids
    window: int

    def __len__(self) -> int:
        length: int = self.ids.shape[1]
        return length // self.window

    def __iter__(self) -> Iterator[tuple[Ids, Ids]]:
        """Each window's characters and those that follow them, (rows, window) each; a rest is left out."""
        for start in range(0, len(self) * self.window, self.window):
            part = slice(start, start + self.window)
            yield self.ids[:, part], self.following[:, part]

    @property
    def characters(self) -> int:
        """How many characters all windows hold."""
        rows: int = self.ids.shape[0]
        return len(self) * rows * self.window


def streams(ids: Ids, rows: int, window: int) -> Streams:
    """Cut a text of more than `rows` characters; where a row is shorter than a window, the window is, too."""
    length = (len(ids) - 1) // rows
    end = rows * length
    return Streams(
        ids[:end].reshape(rows, length), ids[1 : end + 1].reshape(rows, length), min(window, length)
    )


def split(ids: Ids, rows: int, window: int, held_out: float) -> tuple[Streams, Streams]:
    """A text's streams to train on, and those of its last part, the share `held_out`, to validate with.

    RequestError if it is too short for one window of the former, or one character of the latter.
    """
    needed = max(_ceil((rows * window + 1) / (1 - held_out)), _ceil((rows + 1) / held_out))
    border = len(ids) - int(len(ids) * held_out)
    if len(ids) < needed:
        raise RequestError(
            f"the text has {len(ids):,} characters, and --batch-size {rows}, --seq-len {window} and "
            f"--validation-split {held_out:g} need at least {needed:,}: a smaller --batch-size needs less"
        )
    return streams(ids[:border], rows, window), streams(ids[border:], rows, window)


def _ceil(characters: float) -> int:
    # rounding may take a character from either part
    return math.ceil(characters) + 1
