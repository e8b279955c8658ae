"""Mutations of inputs, where no fuzzer is at hand that sees which lines an input reaches. Pure."""

from __future__ import annotations

import random

_NASTY = (
    b"\0",
    b"\xff" * 4,
    b"{",
    b"[" * 50,
    b'"',
    b"-1",
    b"NaN",
    b"1e999",
    b"9" * 30,
    b"null",
    b"../",
    b"%00",
)


def mutated(seeds: list[bytes], chance: random.Random) -> bytes:
    """One of the seeds with some bytes changed, cut out, repeated, or taken from another."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(data))
        until = min(len(data), at + chance.choice((0, 1, 1, 2, 4, 16)))
        match chance.randrange(5):
            case 0:
                data[at:until] = chance.randbytes(until - at)
            case 1:
                data[at:until] = b""
            case 2:
                data[at:at] = data[at:until] * chance.randint(1, 20)
            case 3:
                other = chance.choice(seeds)
                start = chance.randint(0, len(other))
                data[at:until] = other[start : start + chance.randint(0, 40)]
            case _:
                data[at:until] = chance.choice(_NASTY)
    return bytes(data)
