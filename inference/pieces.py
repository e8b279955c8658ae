"""How a text is cut into pieces: which characters the piece of a number has. Pure.

The first pieces are small, since somebody waits for them: 1, 1, 2, 4, 8, 16, 32, and then `LONGEST`
characters each. Where a piece begins does not depend on anything, so that a viewer who has one piece knows
where the next one begins.
"""

from __future__ import annotations

LONGEST = 64
WINDOW = 8
"""Pieces of one text between the producer and the viewer."""
_SHORT = LONGEST.bit_length()
"""So many pieces make up the first `LONGEST` characters."""


def start_of(piece: int) -> int:
    """Index of a piece's first character."""
    if piece <= _SHORT:
        return 0 if piece == 0 else 1 << (piece - 1)
    return (piece - _SHORT + 1) * LONGEST


def count_of(piece: int, length: int) -> int:
    """How many characters a piece has, in a text of `length`: the last one has what is left."""
    return max(0, min(start_of(piece + 1), length) - start_of(piece))


def pieces_of(length: int) -> int:
    """How many pieces a text of `length` characters has."""
    if length <= LONGEST:
        return (length - 1).bit_length() + 1 if length else 0
    return _SHORT + -(-(length - LONGEST) // LONGEST)


def piece_at(index: int) -> int | None:
    """The piece that begins with a character; None: it stands inside of one."""
    piece = index.bit_length() if index <= LONGEST else _SHORT - 1 + index // LONGEST
    return piece if start_of(piece) == index else None
