"""Messages to bytes and back: a JSON header and, behind it, one raw part per array or byte string.

Pure: no sockets. Nothing is ever unpickled; what does not fit the declared dataclasses is a WireError.
`encode` and `decode` are each other's inverse. Part 0 is the header; an array stands in it as
{"part": index, "dtype", "shape"}, a byte string as {"part": index}, a dataclass as {"@": name, ...}.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import struct
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, Union

import numpy as np

from inference import messages
from inference.errors import WireError

Buffer = bytes | bytearray | memoryview
_DTYPES = ("uint8", "int64", "float32", "float64")
_MOST_AXES = 4
_LARGEST = 1 << 63
"""No whole number in a message is larger, be it a size or anything else."""
_SHOWN = 80
"""Characters of what does not fit that its error repeats: a stranger's message may be long."""
# `int | str` makes a type anew each time that it is come by, which takes longer than a value
_PLAIN, _RAW, _SEVERAL = (bool, int, float, str), (bytes, bytearray, memoryview), (tuple, list)
_KINDS: dict[str, type] = {
    name: kind
    for name, kind in vars(messages).items()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}


def encode(message: Any) -> list[Buffer]:
    """Encode a message of `messages.py` into parts; array parts are views, not copies."""
    parts: list[Buffer] = [b""]
    header = _pack(message, parts)
    parts[0] = json.dumps(header, separators=(",", ":")).encode()
    return parts


def decode(parts: Sequence[Buffer]) -> Any:
    """Decode parts into a message; its arrays are read-only views of the parts.

    Raises WireError if the parts are no message of ours.
    """
    try:
        header = json.loads(bytes(parts[0]))
        if not isinstance(header, dict):
            raise WireError("the header is no JSON object")
        left = dict(enumerate(parts))
        del left[0]
        message = _unpack(header, left)
        if left:
            raise WireError(f"{len(left)} parts belong to nothing")
        return message
    except WireError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise WireError(f"malformed message: {_shown(error)}") from error


def join(parts: Sequence[Buffer]) -> bytes:
    """Parts as one piece, for a pipe: their number and lengths, then all of them."""
    return b"".join((struct.pack(f"<{len(parts) + 1}I", len(parts), *map(len, parts)), *parts))


def split(whole: bytes) -> list[memoryview]:
    """The parts that were joined; WireError if this is nothing of that kind."""
    try:
        (number,) = struct.unpack_from("<I", whole)
        lengths = struct.unpack_from(f"<{number}I", whole, 4)
    except struct.error as error:
        raise WireError("the parts' lengths are missing") from error
    if 4 * (number + 1) + sum(lengths) != len(whole):
        raise WireError("the parts are longer or shorter than they say")
    ends = list(itertools.accumulate(lengths, initial=4 * (number + 1)))
    return [memoryview(whole)[start:end] for start, end in itertools.pairwise(ends)]


def _pack(value: Any, parts: list[Buffer]) -> Any:
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, np.ndarray):
        contiguous = np.ascontiguousarray(value)
        parts.append(contiguous.data.cast("B") if contiguous.size else b"")
        return {"part": len(parts) - 1, "dtype": contiguous.dtype.name, "shape": list(value.shape)}
    if isinstance(value, _RAW):
        parts.append(value)
        return {"part": len(parts) - 1}
    if isinstance(value, _SEVERAL):
        return [_pack(item, parts) for item in value]
    if isinstance(value, dict):
        return {"dict": {str(key): _pack(item, parts) for key, item in value.items()}}
    packed = {"@": type(value).__name__}
    for name in _fields(type(value)):
        packed[name] = _pack(getattr(value, name), parts)
    return packed


def _unpack(value: Any, left: dict[int, Buffer]) -> Any:
    """A value of the header; each part that it names is taken out of `left`, so that none is copied twice."""
    if isinstance(value, list):
        return tuple(_unpack(item, left) for item in value)
    if not isinstance(value, dict):
        if type(value) is int and not -_LARGEST <= value < _LARGEST:
            raise WireError("a number is too large")
        return value
    if "@" in value:
        return _unpack_dataclass(value, left)
    if "dict" in value:
        return {key: _unpack(item, left) for key, item in value["dict"].items()}
    return _unpack_part(value, left)


def _unpack_dataclass(value: dict[str, Any], left: dict[int, Buffer]) -> Any:
    kind = _KINDS.get(value["@"])
    if kind is None:
        raise WireError(f"no message is called {_shown(value['@'])}")
    known = _fields(kind)
    said = value.keys() - {"@"}
    if not said <= known.keys():
        raise WireError(f"{kind.__name__} has no {_shown(sorted(said - known.keys()))}")
    fields = {name: _unpack(value[name], left) for name in said}
    for name, field in fields.items():
        hint, fits = known[name]
        if not fits(field):
            raise WireError(f"{kind.__name__}.{name} is no {hint}")
    # a field with a default may be missing: journals of earlier versions were written without it
    return kind(**fields)


def _unpack_part(value: dict[str, Any], left: dict[int, Buffer]) -> Any:
    index = value["part"]
    if type(index) is not int or index not in left:
        raise WireError(f"the message has no part {_shown(index)}, or has it twice")
    part = left.pop(index)
    if "dtype" not in value:
        return bytes(part)
    if value["dtype"] not in _DTYPES:
        raise WireError(f"arrays of {_shown(value['dtype'])} are not sent")
    shape = value["shape"]
    if len(shape) > _MOST_AXES or not all(type(size) is int and 0 <= size < _LARGEST for size in shape):
        raise WireError(f"an array has no shape {_shown(shape)}")
    dtype = np.dtype(value["dtype"])
    if math.prod(shape) * dtype.itemsize != len(part):
        raise WireError(f"an array of {shape} {dtype} does not have {len(part)} bytes")
    return np.frombuffer(part, dtype).reshape(shape)


def _shown(what: object) -> str:
    return repr(what)[:_SHOWN]


_Fits = Callable[[Any], bool]


_FIELDS: dict[type, dict[str, tuple[Any, _Fits]]] = {}


def _fields(kind: type[Any]) -> dict[str, tuple[Any, _Fits]]:
    """Names of a dataclass's fields, each with its type and what checks it; made once: that takes long."""
    if kind not in _FIELDS:
        hints = typing.get_type_hints(kind)
        names = [field.name for field in dataclasses.fields(kind)]
        _FIELDS[kind] = {name: (hints[name], _check(hints[name])) for name in names}
    return _FIELDS[kind]


def _check(hint: Any) -> _Fits:
    """What says whether a decoded value is of a declared type; items of tuples and dicts are checked too."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        checks = [_check(argument) for argument in arguments]
        return lambda value: any(check(value) for check in checks)
    if origin is tuple:
        return _check_tuple(arguments)
    if origin is dict:
        item = _check(arguments[1])
        return lambda value: isinstance(value, dict) and all(map(item, value.values()))
    if origin is np.ndarray:
        dtype = arguments[1].__args__[0]
        return lambda value: isinstance(value, np.ndarray) and value.dtype.type is dtype
    # JSON knows bool, int and float themselves alone; a whole number may stand for a float
    if hint is float:
        return lambda value: type(value) is float or type(value) is int
    if hint is int:
        return lambda value: type(value) is int
    return lambda value: isinstance(value, hint)


def _check_tuple(arguments: tuple[Any, ...]) -> _Fits:
    if arguments[-1] is Ellipsis:
        item = _check(arguments[0])
        return lambda value: isinstance(value, tuple) and all(map(item, value))
    items = [_check(argument) for argument in arguments]
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(items)
        and all(check(one) for check, one in zip(items, value, strict=True))
    )
