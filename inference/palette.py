"""Colours that people with any colour vision tell apart and that stand out on a gray video. Pure.

The same eight as on the page (`static/palette.js`), then the same lighter and darker, so that a node or an
identity has one colour wherever it is drawn.
"""

from __future__ import annotations

Color = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

BASE: tuple[Color, ...] = (
    (255, 159, 28),  # orange
    (58, 178, 255),  # sky
    (0, 200, 140),  # green
    (255, 92, 122),  # rose
    (240, 228, 66),  # yellow
    (176, 124, 255),  # violet
    (110, 231, 233),  # cyan
    (232, 93, 36),  # vermilion
)
_MIXED = 0.45


def color(index: int) -> Color:
    """The colour of a node or of an identity, the same for the same index."""
    red, green, blue = BASE[index % len(BASE)]
    toward = (None, 255, 0)[index // len(BASE) % 3]
    if toward is None:
        return red, green, blue
    # rounded as JavaScript does, halves up
    return tuple(int(part + (toward - part) * _MIXED + 0.5) for part in (red, green, blue))  # type: ignore[return-value]
