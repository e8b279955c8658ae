"""A character model's Keras configuration as a chain of layers, one after the other. Pure.

What does nothing once a model is trained (dropout and the like) is left out, wrappers are taken off. What is
not understood is a ModelError that names the layer and what is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from inference.errors import ModelError

RECURRENT = ("LSTM", "GRU", "SimpleRNN")
"""Recurrent layers that can be run."""

_ALSO_RECURRENT = ("CuDNNLSTM", "CuDNNGRU", "RNN", "Bidirectional")
"""Those that make a model a character model's, too, though not one that can be run."""

_PLAIN = ("Embedding", "Dense", "Activation", "Softmax", "LayerNormalization", "BatchNormalization")
_INPUT = "InputLayer"
_IDLE = (
    *(_INPUT, "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout"),
    "ActivityRegularization",
)

UNDERSTOOD = ", ".join(
    (*RECURRENT, *_PLAIN, "TimeDistributed around Dense", "and what only serves training, such as Dropout")
)

_ANOTHER_WAY = {
    "go_backwards": "reads its text backwards",
    "return_state": "gives its state to other layers",
    "time_major": "has its axes in another order",
}
"""What a recurrent layer may be told that writing character by character cannot be."""

MOST_LAYERS = 1000


@dataclass(frozen=True)
class Layer:
    """One layer that computes something: its class (`kind`), its name, and its configuration.

    `place` is its group's name in a `.keras` archive's weights; in an HDF5 file it is its name.
    """

    kind: str
    name: str
    place: str
    config: dict[str, Any]

    @property
    def title(self) -> str:
        """Its name as a message may show it."""
        return _shown(self.name)

    def function(self, key: str = "activation") -> str:
        """The name of an activation of its; "linear" if it has none."""
        return function(self.config.get(key))


def chain(config: dict[str, Any], name: str) -> tuple[Layer, ...]:
    """The layers of a model, from the characters to their probabilities; `name` is the model's.

    The last softmax is taken off: the last layer gives logits.
    """
    entries = _entries(config)
    if not entries or len(entries) > MOST_LAYERS:
        raise ModelError(
            f"{name} is no character model: a Keras model of 1 to {MOST_LAYERS:,} layers is needed."
        )
    if _is_functional(config):
        _refuse_branches(config, entries, name)
    layers = [layer for entry, place in _placed(entries) if (layer := _layer(entry, place, name))]
    if sum(layer.kind in RECURRENT for layer in layers) == 0:
        raise ModelError(f"{name} is no character model: it has no recurrent layer ({', '.join(RECURRENT)}).")
    _refuse_short_sequences(layers, name)
    return (
        (*layers[:-1], _without_softmax(layers, name)) if layers[-1].kind == "Dense" else _bare(layers, name)
    )


def is_text(config: dict[str, Any]) -> bool:
    """Whether a Keras configuration is a character model's, even one that cannot be run: see `chain`.

    It has recurrent layers, begins with an embedding of each character (or with each character as a row of
    zeros and a one), and ends with a softmax, or logits, over as many characters.
    """
    try:
        entries = [_unwrapped(entry) for entry in _entries(config) if entry["class_name"] not in _IDLE]
        if not any(entry["class_name"] in (*RECURRENT, *_ALSO_RECURRENT) for entry in entries):
            return False
        *_, dense = (entry for entry in entries if entry["class_name"] == "Dense")
        characters, ends = dense["config"]["units"], _ends(entries)
        first = entries[0]
        if first["class_name"] == "Embedding":
            return ends in ("softmax", "linear") and first["config"]["input_dim"] == characters > 1
        return ends == "softmax" and input_width(config) == characters > 1
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ModelError):
        return False


def _entries(config: Any) -> list[Any]:
    """The entries of the layers, of any Keras; before 2.2.3 a Sequential's configuration was a list."""
    inner = config.get("config") if isinstance(config, dict) else None
    if isinstance(inner, dict):
        inner = inner.get("layers")
    return inner if isinstance(inner, list) else []


def _is_functional(config: dict[str, Any]) -> bool:
    return config.get("class_name") != "Sequential"


def _unwrapped(entry: dict[str, Any]) -> dict[str, Any]:
    """What TimeDistributed does at every character; the layer itself, if it is none."""
    inner = entry["config"].get("layer") if entry["class_name"] == "TimeDistributed" else None
    return inner if isinstance(inner, dict) else entry


def _ends(entries: list[dict[str, Any]]) -> str:
    """The last activation."""
    last = entries[-1]
    if last["class_name"] == "Softmax":
        return "softmax"
    return function(last["config"].get("activation")) if last["class_name"] in ("Dense", "Activation") else ""


def function(value: Any) -> str:
    """An activation's name: Keras writes it bare, or as an object."""
    if isinstance(value, dict):
        value = value.get("config") if value.get("class_name") == "function" else value.get("class_name")
    return "linear" if value is None else str(value)


def input_width(config: dict[str, Any]) -> int | None:
    """How wide each character's row is at the input; None if the configuration does not say."""
    for entry in filter(_is_layer, _entries(config)[:2]):
        built = entry.get("build_config")
        shapes = [entry["config"].get(key) for key in ("batch_input_shape", "batch_shape")]
        shapes.append(built.get("input_shape") if isinstance(built, dict) else None)
        for shape in shapes:
            if isinstance(shape, list) and len(shape) == 3 and type(shape[2]) is int:
                return shape[2]
    return None


def _placed(entries: list[Any]) -> Iterator[tuple[Any, str]]:
    """Each entry and its group's name in an archive: its class in snake case, numbered from the second on."""
    seen: dict[str, int] = {}
    for entry in entries:
        kind = str(entry.get("class_name")) if isinstance(entry, dict) else ""
        count = seen[kind] = seen.get(kind, -1) + 1
        yield entry, _SNAKE.get(kind, kind.lower()) + (f"_{count}" if count else "")


_SNAKE = {
    "SimpleRNN": "simple_rnn",
    "TimeDistributed": "time_distributed",
    "LayerNormalization": "layer_normalization",
    "BatchNormalization": "batch_normalization",
}


def _layer(entry: Any, place: str, name: str) -> Layer | None:
    """A layer that computes something; None if it does nothing."""
    if not _is_layer(entry):
        raise ModelError(f"{name} cannot be read: its configuration has a layer that is none.")
    outer = _shown(entry["config"].get("name"))
    inner = _unwrapped(entry)
    kind, config = inner.get("class_name"), inner.get("config")
    if kind in _IDLE or (kind == "Activation" and isinstance(config, dict) and _idle_activation(config)):
        return None
    known = kind in (*RECURRENT, *_PLAIN) and (inner is entry or kind == "Dense")
    if not known or not isinstance(config, dict):
        said = entry["class_name"] if inner is entry else f"{entry['class_name']} around {kind}"
        raise ModelError(
            f"{name} cannot be run: its layer {outer} is a {_shown(said)}. Understood are {UNDERSTOOD}."
        )
    if kind in RECURRENT:
        for key, what in _ANOTHER_WAY.items():
            if config.get(key):
                raise ModelError(f"{name} cannot be run: its layer {outer} {what} ({key}).")
    # weights stand under the wrapper's name
    return Layer(str(kind), str(entry["config"].get("name")), place, config)


def _is_layer(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("class_name"), str)
        and isinstance(entry.get("config"), dict)
    )


def _idle_activation(config: dict[str, Any]) -> bool:
    return function(config.get("activation")) == "linear"


def _refuse_short_sequences(layers: list[Layer], name: str) -> None:
    """Only the last recurrent layer may give its last output alone."""
    recurrent = [layer for layer in layers if layer.kind in RECURRENT]
    for layer in recurrent[:-1]:
        if not layer.config.get("return_sequences"):
            raise ModelError(
                f"{name} cannot be run: its layer {layer.title} gives one output for a whole text "
                "(return_sequences is off), and other recurrent layers follow."
            )
    if any(layer.kind == "Embedding" for layer in layers[1:]):
        raise ModelError(f"{name} cannot be run: only its first layer may be an Embedding.")


def _without_softmax(layers: list[Layer], name: str) -> Layer:
    last = layers[-1]
    if last.function() not in ("softmax", "linear"):
        raise ModelError(_no_probabilities(name, last.function()))
    return Layer(last.kind, last.name, last.place, {**last.config, "activation": "linear"})


def _bare(layers: list[Layer], name: str) -> tuple[Layer, ...]:
    """The layers before a softmax that is a layer of its own."""
    last = layers[-1]
    if last.kind == "Softmax" or (last.kind == "Activation" and last.function() == "softmax"):
        if last.config.get("axis", -1) not in (-1, 2, [-1]):
            raise ModelError(f"{name} cannot be run: its softmax is not over the characters.")
        return tuple(layers[:-1])
    raise ModelError(_no_probabilities(name, last.kind))


def _no_probabilities(name: str, found: str) -> str:
    return (
        f"{name} is no character model: its output has to be a softmax over characters, or a Dense layer's "
        f"logits, and it ends with {_shown(found)}."
    )


def _refuse_branches(config: dict[str, Any], entries: list[Any], name: str) -> None:
    """Raise a ModelError if the layers do not follow one another, each on the one before it alone."""
    before: set[str] = set()
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise ModelError(f"{name} cannot be read: its configuration has a layer that is none.")
        links = _links(entry.get("inbound_nodes"))
        is_input = number == 0 and entry.get("class_name") == _INPUT
        if (links if is_input else links != before) or len(_nodes(entry)) > 1:
            raise ModelError(
                f"{name} cannot be run: its layers do not follow one after the other (see "
                f"{_shown(entry.get('name'))}); a model without branches is needed."
            )
        before = {str(entry.get("name"))}


def _nodes(entry: dict[str, Any]) -> list[Any]:
    nodes = entry.get("inbound_nodes")
    return nodes if isinstance(nodes, list) else []


def _links(nodes: Any) -> set[str]:
    """The names of the layers that a layer's calls take outputs of."""
    found: set[str] = set()
    waiting = [nodes]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            history = node.get("keras_history")
            waiting += [history] if history is not None else node.values()
        elif isinstance(node, list):
            # ["name", number of its call, number of its output, …]
            if len(node) > 2 and isinstance(node[0], str) and type(node[1]) is int:
                found.add(node[0])
                waiting += node[3:]
            else:
                waiting += node
    return found


def _shown(value: Any) -> str:
    """What a stranger's file calls something, as a message may show it."""
    text = "".join(char if char.isprintable() else "�" for char in str(value))
    return text if len(text) <= 80 else text[:80] + "…"
