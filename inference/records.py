"""A row of records in a file: how each is put, and how they are read up to the first that is not whole.

A record is its length, its checksum and a message of `messages.py` as `wire.py` puts it. Pure: whoever reads
hands in the file.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from inference import wire
from inference.errors import WireError
from inference.messages import FrameRecord, Instances

HEAD = struct.Struct("<II")
"""The length in bytes of what follows, and its checksum."""
_MOST = 1 << 28
"""Bytes that no record has: a longer one is damage, not a reason to allocate."""
_LEFT_OUT = Instances(
    np.empty((0, 0, 2)), np.empty((0, 0)), np.empty(0), np.empty(0, dtype=np.int64), np.empty(0)
)

Placed = tuple[Any, int, int]
"""A record, where it begins in the file and where it ends."""
Decode = Callable[[bytes], Any]


def read(file: BinaryIO, decode: Decode) -> Iterator[Placed]:
    """Every whole record of a file, from where it stands, up to the first that is damaged or cut off.

    One that is whole and no message of ours, such as a later version's, is None.
    """
    start = 0
    while len(head := file.read(HEAD.size)) == HEAD.size:
        length, checksum = HEAD.unpack(head)
        if length > _MOST:
            return
        body = file.read(length)
        if len(body) < length or zlib.crc32(body) != checksum:
            return
        try:
            record = decode(body)
        except WireError:
            record = None
        stop = start + HEAD.size + length
        yield record, start, stop
        start = stop


def encode(record: Any) -> bytes:
    """A message as it stands in the file, head and all."""
    parts = [bytes(part) for part in wire.encode(record)]
    lengths = struct.pack(f"<H{len(parts)}I", len(parts), *map(len, parts))
    body = b"".join([lengths, *parts])
    return HEAD.pack(len(body), zlib.crc32(body)) + body


def decode(body: bytes) -> Any:
    """The message behind a head; WireError."""
    return wire.decode(_parts(body))


def glance(body: bytes) -> Any:
    """The same, but a frame's without its instances, which take most of the time; WireError."""
    parts = _parts(body)
    try:
        said = json.loads(parts[0])
        if said["@"] == FrameRecord.__name__:
            frame, tracks = said["frame"], tuple(said["tracks"])
            if all(type(number) is int for number in (frame, *tracks)):
                return FrameRecord(frame, _LEFT_OUT, tracks)
    except (ValueError, TypeError, LookupError, RecursionError):
        pass  # it is another kind of record, or damaged
    return wire.decode(parts)


def _parts(body: bytes) -> list[bytes]:
    try:
        (count,) = struct.unpack_from("<H", body)
        lengths = struct.unpack_from(f"<{count}I", body, 2)
    except struct.error as error:
        raise WireError("a record is cut off") from error
    parts, at = [], 2 + 4 * count
    for length in lengths:
        parts.append(body[at : at + length])
        at += length
    return parts
