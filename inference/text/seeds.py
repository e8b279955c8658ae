"""A seed taken from somebody's text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.errors import RequestError

SIZES = (2, 4, 8, 16, 32)
"""Characters that a piece of a text may have."""

MOST = 1 << 26
"""Characters of a text that a piece is taken from: the first ones."""


def piece_of(path: Path, random_state: int) -> str:
    """A random piece of a text file, the same one for the same number; RequestError if it cannot be taken."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MOST)
    except OSError as error:
        raise RequestError(f"The text {path.name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{path.name} is no text in UTF-8 (see its byte {error.start}): save it as UTF-8."
        ) from error
    fitting = [size for size in SIZES if size <= len(text)]
    if not fitting:
        raise RequestError(
            f"{path.name} is too short for a seed: {len(text)} characters, and {SIZES[0]} are needed."
        )
    # another generator than the text's, or the seed would foretell it
    chance = np.random.default_rng((random_state, 1))
    size = int(chance.choice(fitting))
    start = int(chance.integers(len(text) - size + 1))
    return text[start : start + size]
