"""HDF5 files and zip archives that strangers made: looked at before anybody reads what is in them.

What Keras writes is a tree of groups and datasets, uncompressed, whole in its one file. HDF5 can do far more:
links to other files, data that stand in other files or are views of others, filters that are loaded as
libraries, a few bytes that stand for terabytes. All of that is refused here, from the structure alone, so
that no reader after this one has to know about it. Every refusal is a ModelError.
"""

from __future__ import annotations

import math
import pathlib
import zipfile
from collections.abc import Iterator
from typing import Any, NoReturn

import h5py
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t

from inference.errors import ModelError

MOST_OBJECTS = 100_000
"""Groups, datasets and attributes together; the largest Keras models have some thousands."""
DEEPEST = 100
"""Groups within groups. Keras needs two for each model within a model."""

MOST_TEXT = 1 << 30
"""Bytes of text, at most, that the texts of one attribute may turn out to be."""

MOST_MEMBERS = 10_000
MOST_BYTES = 64 << 20
MOST_RATIO = 10
"""An archive may hold so many bytes once it is unpacked, and so many times its size. Weights hardly get
smaller by being packed; zeros get a thousand times smaller."""

_PLAIN = (h5t.INTEGER, h5t.FLOAT, h5t.ENUM, h5t.STRING)
"""What numbers and texts are."""

_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def refuse_archive(name: str, archive: zipfile.ZipFile, size: int) -> None:
    """Raise a ModelError if an archive of `size` bytes would be far larger once it is unpacked, or elsewhere.

    What passes may be read: no more comes out of it than it says.
    """
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        _refuse(name, f"it holds more than {MOST_MEMBERS:,} files")
    if len({member.filename for member in members}) < len(members):
        _refuse(name, "two of its files have one name")
    for member in members:
        path = pathlib.PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
            _refuse(name, "one of its files would be unpacked elsewhere")
        if member.compress_type not in _PACKINGS:
            _refuse(name, "one of its files is packed in an unusual way")
    if sum(member.file_size for member in members) > MOST_BYTES + MOST_RATIO * size:
        _refuse(name, "it would be far larger once it is unpacked")


def refuse_hdf5(name: str, file: h5py.File, size: int) -> None:
    """Raise a ModelError if a file of `size` bytes is not as Keras writes them; its data are not read.

    What h5py raises where it cannot read the structure itself is its own.
    """
    held = 0
    try:
        for count, found in enumerate(_objects(file)):
            if count >= MOST_OBJECTS:
                raise _Odd(f"it holds more than {MOST_OBJECTS:,} things")
            held += _bytes(found, size)
            if held > size:
                raise _Odd("it stands for more data than the file holds")
    except _Odd as odd:
        _refuse(name, str(odd))


class _Odd(Exception):
    """Why a file is not as Keras writes them."""


def _refuse(name: str, reason: str) -> NoReturn:
    raise ModelError(
        f"{name} is not opened, since {reason}; Keras writes no such file. "
        "Save the model anew, with model.save(…)."
    )


def _objects(file: h5py.File) -> Iterator[Any]:
    """Every group, dataset and attribute, each once, a group before what is in it."""
    seen = {h5o.get_info(file.id).addr}
    waiting = [(h5g.open(file.id, b"/"), 0)]
    while waiting:
        found, depth = waiting.pop()
        yield found
        yield from (h5a.open(found, index=index) for index in range(h5a.get_num_attrs(found)))
        if not isinstance(found, h5g.GroupID):
            continue
        if depth == DEEPEST:
            raise _Odd(f"its groups are more than {DEEPEST} deep")
        for name in _names(found):
            inner = h5o.open(found, name)
            address = h5o.get_info(inner).addr
            if address in seen:
                raise _Odd("the same thing stands in it under two names")
            seen.add(address)
            waiting.append((inner, depth + 1))


def _names(group: Any) -> list[bytes]:
    """What is in a group, if it is in this file."""
    if group.get_num_objs() > MOST_OBJECTS:
        raise _Odd(f"it holds more than {MOST_OBJECTS:,} things")
    links: list[tuple[bytes, Any]] = []
    group.links.iterate(lambda name, info: links.append((name, info)), info=True)
    if any(info.type != h5l.TYPE_HARD for _, info in links):
        raise _Odd("it holds links")
    return [name for name, _ in links]


def _bytes(found: Any, size: int) -> int:
    """How many bytes an object's data take in memory; a group's none."""
    match found:
        case h5g.GroupID():
            return 0
        case h5d.DatasetID():
            # before its extent: to learn that of views, HDF5 opens the files that they are of
            return max(_chunk(found), _plain_bytes(found))
        case h5a.AttrID() if (
            found.get_type().get_class() == h5t.STRING and found.get_type().is_variable_str()
        ):
            # such texts stand elsewhere in the file, and many may be the same bytes there
            if _count(found) > 1 and _count(found) * size > MOST_TEXT:
                raise _Odd("one of its attributes stands for more text than the file holds")
            return 0
        case h5a.AttrID():
            return _plain_bytes(found)
    raise _Odd("it holds something that is neither a group nor a dataset")


def _plain_bytes(found: Any) -> int:
    """The bytes of numbers, or of texts of one length."""
    kind = found.get_type()
    if kind.get_class() not in _PLAIN or _is_text(kind):
        raise _Odd("it holds something that is neither numbers nor text")
    return int(_count(found) * kind.get_size())


def _is_text(kind: h5t.TypeID) -> bool:
    """Whether these are texts of any length, of which the object itself holds only where they stand."""
    return bool(kind.get_class() == h5t.STRING and kind.is_variable_str())


def _count(found: Any) -> int:
    space = found.get_space()
    return 0 if space.get_simple_extent_type() == h5s.NULL else int(space.get_simple_extent_npoints())


def _chunk(dataset: h5d.DatasetID) -> int:
    """The bytes of one of a dataset's chunks, 0 without any; its data have to be in this file as they are."""
    how = dataset.get_create_plist()
    if how.get_external_count() or how.get_layout() == h5d.VIRTUAL:
        raise _Odd("it takes data from other files")
    if how.get_nfilters():
        raise _Odd("its data are compressed")
    if how.get_layout() != h5d.CHUNKED:
        return 0
    return int(math.prod(how.get_chunk()) * dataset.get_type().get_size())
