"""The operations of a SavedModel, read from its protocol buffer without TensorFlow.

Pure, and strict: what is not as TensorFlow writes it is a ValueError, so that nothing hides from this reader
that TensorFlow would find. It knows the few fields on the way from a SavedModel to the names of
its operations, and steps over all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}

# The fields, by TensorFlow's descriptors; a test compares them.
SAVED_MODEL_META_GRAPHS = 2
META_GRAPH_GRAPH, META_GRAPH_OBJECTS = 2, 7
GRAPH_NODE, GRAPH_LIBRARY = 1, 2
LIBRARY_FUNCTION = 1
FUNCTION_SIGNATURE, FUNCTION_NODE, FUNCTION_ATTR = 1, 3, 5
SIGNATURE_NAME = 1
NODE_OP, NODE_ATTR = 2, 5
ENTRY_KEY, ENTRY_VALUE = 1, 2
ATTR_LIST, ATTR_FUNCTION = 1, 10
LIST_FUNCTION = 9
CALLED_NAME, CALLED_ATTR = 1, 2
OBJECTS_FUNCTIONS = 2

_INTERFACE = "api_implements"
"""An attribute by which TensorFlow's optimizer may put a function in the place of another."""


@dataclass(frozen=True)
class Operation:
    """One kind of operation: its name, and whether loading or running the model can come to it.

    What cannot be come to is in functions that only writing the model anew would call.
    """

    name: str
    runs: bool


@dataclass
class _Function:
    """The operations in a function, and the functions that it names."""

    operations: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)


def operations(content: bytes) -> set[Operation]:
    """Every kind of operation in the bytes of a SavedModel; ValueError if they cannot be read.

    What the objects of a SavedModel of TensorFlow 2 name can run, with all that it calls. The graph around
    them never does. One of TensorFlow 1 has no objects: all of it can run.
    """
    found: set[Operation] = set()
    for meta in _messages(memoryview(content), SAVED_MODEL_META_GRAPHS):
        graph, library = _graph(meta)
        objects = list(_messages(meta, META_GRAPH_OBJECTS))
        roots = set().union(*map(_object_functions, objects))
        running = _reached(library, roots | _interfaces(meta)) if objects else set(library)
        found |= {Operation(name, not objects) for name in graph - library.keys()}
        for name, function in library.items():
            inner = function.operations - library.keys()
            found |= {Operation(operation, name in running) for operation in inner}
    return found


def _graph(meta: memoryview) -> tuple[set[str], dict[str, _Function]]:
    """The operations of a graph itself, and its functions by name."""
    graph, library = _Function(), {}
    for definition in _messages(meta, META_GRAPH_GRAPH):
        for node in _messages(definition, GRAPH_NODE):
            _add_node(graph, node)
        for function in _functions(definition):
            name, held = _function(function)
            if name in library:
                raise _unreadable("two functions have one name")
            library[name] = held
    return graph.operations, library


def _functions(graph: memoryview) -> Iterator[memoryview]:
    for library in _messages(graph, GRAPH_LIBRARY):
        yield from _messages(library, LIBRARY_FUNCTION)


def _function(message: memoryview) -> tuple[str, _Function]:
    """A function's name and what is in it."""
    names = [
        name
        for signature in _messages(message, FUNCTION_SIGNATURE)
        for name in _messages(signature, SIGNATURE_NAME)
    ]
    held = _Function()
    for node in _messages(message, FUNCTION_NODE):
        _add_node(held, node)
    held.calls |= set(_called(_values(message, FUNCTION_ATTR)))
    return _one_text(names), held


def _interfaces(meta: memoryview) -> set[str]:
    """The functions that may be put in the place of others."""
    return {
        _function(function)[0]
        for graph in _messages(meta, META_GRAPH_GRAPH)
        for function in _functions(graph)
        if any(
            _one_text(_messages(entry, ENTRY_KEY)) == _INTERFACE
            for entry in _messages(function, FUNCTION_ATTR)
        )
    }


def _add_node(held: _Function, node: memoryview) -> None:
    operation = _one_text(_messages(node, NODE_OP))
    held.operations.add(operation)
    # a function is called as an operation of its name, or by an attribute of one
    held.calls.add(operation)
    held.calls |= set(_called(_values(node, NODE_ATTR)))


def _values(message: memoryview, attributes: int) -> list[memoryview]:
    """The values of a map of attributes."""
    entries = _messages(message, attributes)
    return [value for entry in entries for value in _messages(entry, ENTRY_VALUE)]


def _called(values: list[memoryview]) -> Iterator[str]:
    """The functions that attributes name, in their own attributes too; with a stack, as they may be deep."""
    while values:
        value = values.pop()
        functions = list(_messages(value, ATTR_FUNCTION))
        for several in _messages(value, ATTR_LIST):
            functions += _messages(several, LIST_FUNCTION)
        for function in functions:
            yield _one_text(_messages(function, CALLED_NAME))
            values += _values(function, CALLED_ATTR)


def _object_functions(objects: memoryview) -> set[str]:
    """The functions that the objects of a SavedModel name: all that loading and serving begin with."""
    return {_one_text(_messages(entry, ENTRY_KEY)) for entry in _messages(objects, OBJECTS_FUNCTIONS)}


def _reached(library: dict[str, _Function], roots: set[str]) -> set[str]:
    """The functions that some call, and those that these call, and so on."""
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in reached and name in library:
            reached.add(name)
            waiting += library[name].calls
    return reached


# Protocol buffers ------------------------------------------------------------------------------------


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """The bytes of each field of that number."""
    for number, wire, value in _fields(message):
        if number == wanted:
            if wire != _BYTES:
                raise _unreadable(f"field {number} is of wire type {wire}")
            yield value


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Each field's number, wire type and bytes; numbers have none."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        length = _FIXED.get(wire, 0)
        if wire == _VARINT:
            _, at = _varint(message, at)
        elif wire == _BYTES:
            length, at = _varint(message, at)
        elif wire not in _FIXED:
            raise _unreadable(f"a field is of wire type {wire}")
        if number == 0 or at + length > len(message):
            raise _unreadable("a field is cut off")
        yield number, wire, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A whole number of at most 64 bits, and where it ends. Bytes without a bit of it make it no other."""
    value = 0
    for position, byte in enumerate(message[at : at + 10]):
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            return value, at + position + 1
    raise _unreadable("a number has no end")


def _one_text(found: Iterable[memoryview]) -> str:
    """A text that stands there once; empty if it does not, as everywhere in protocol buffers."""
    texts = list(found)
    if len(texts) > 1:
        raise _unreadable("something has two names")
    try:
        return bytes(texts[0]).decode("utf-8") if texts else ""
    except UnicodeDecodeError as error:
        raise _unreadable("a name is no text") from error


def _unreadable(why: str) -> ValueError:
    return ValueError(f"no SavedModel of TensorFlow's: {why}")
