"""Messages drawn from their own types: every class of `messages.py`, with all that its fields may hold."""

from __future__ import annotations

import dataclasses
import types
import typing

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inference import messages

KINDS = [
    kind for kind in vars(messages).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)
]
TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
"""Any text: of lone surrogates, too, since that is how a file's name that is not UTF-8 looks."""
WHOLE = st.integers(-(2**63), 2**63 - 1)
PLAIN = {str: TEXT, int: WHOLE, float: st.floats(), bool: st.booleans(), bytes: st.binary(max_size=20)}
SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3)


def of(hint) -> st.SearchStrategy:
    """Whatever a field of that type may hold."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if hint is types.NoneType:
        return st.none()
    if origin is np.ndarray:
        return arrays.arrays(typing.get_args(arguments[1])[0], SHAPES)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(of, arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(of(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(of, arguments))
    if origin is dict:
        return st.dictionaries(of(arguments[0]), of(arguments[1]), max_size=3)
    hints = typing.get_type_hints(hint)
    return st.builds(hint, **{field.name: of(hints[field.name]) for field in dataclasses.fields(hint)})


MESSAGES = st.sampled_from(KINDS).flatmap(of)


def plain(value):
    """A message as something that `==` can compare, types, shapes and NaN included."""
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes())
    if dataclasses.is_dataclass(value):
        return (type(value), {name: plain(getattr(value, name)) for name in value.__dataclass_fields__})
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return tuple(map(plain, value)) if isinstance(value, tuple) else repr(value)
