"""The weights of a character model's layers, read from its file and checked against its configuration."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np

from inference import archives
from inference.errors import ModelError
from inference.model_files import UNREADABLE, Format, StoredModel
from inference.text.activations import Array
from inference.text.chain import RECURRENT, Layer

Weights = dict[str, Array]
"""A layer's weights by what Keras calls them: kernel, recurrent_kernel, bias, embeddings, gamma, beta, …"""

WIDEST = 1 << 16
"""Units of a layer."""

_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


@contextmanager
def opened(model: StoredModel) -> Iterator[h5py.Group]:
    """The group in which each layer's weights stand; ModelError if it cannot be read."""
    try:
        if model.format in (Format.H5_KERAS2, Format.H5_KERAS3):
            with h5py.File(model.path, "r") as file:
                yield file["model_weights"]
        else:
            with zipfile.ZipFile(model.path) as archive:
                content = archive.read("model.weights.h5")
            with h5py.File(io.BytesIO(content), "r") as file:
                archives.refuse_hdf5(model.name, file, len(content))
                yield file["layers"]
    except UNREADABLE as error:
        raise ModelError(f"{model.name} is damaged: its weights cannot be read.") from error


def read(group: h5py.Group, model: StoredModel, layer: Layer, width: int) -> Weights:
    """A layer's weights, float32 and finite, of the shapes that its configuration says.

    `width` is that of what it is given.
    """
    if model.format in (Format.ZIP_KERAS2, Format.ZIP_KERAS3):
        found = _numbered(group, layer)
        wanted = shapes(model.name, layer, width, two_biases=_has_two_biases(layer, found.get("2")))
        found = {what: found[str(number)] for number, what in enumerate(wanted) if str(number) in found}
    else:
        found = _named(group, layer)
        wanted = shapes(model.name, layer, width, two_biases=_has_two_biases(layer, found.get("bias")))
    return {what: _checked(model.name, layer, what, found.get(what), shape) for what, shape in wanted.items()}


def _numbered(group: h5py.Group, layer: Layer) -> dict[str, Any]:
    """An archive's datasets of a layer: "0", "1", …"""
    inner = "cell" if layer.kind in RECURRENT else "layer"
    for path in (f"{layer.place}/{inner}/vars", f"{layer.place}/vars"):
        if path in group and isinstance(group[path], h5py.Group) and len(group[path]):
            return dict(group[path])
    return {}


def _named(group: h5py.Group, layer: Layer) -> dict[str, Any]:
    """An HDF5 file's datasets of a layer by their last names, without Keras 2's ":0"."""
    held: dict[str, Any] = {}

    def visit(path: str, found: Any) -> None:
        if isinstance(found, h5py.Dataset):
            held.setdefault(path.rpartition("/")[2].removesuffix(":0"), found)

    if layer.name in group and isinstance(group[layer.name], h5py.Group):
        group[layer.name].visititems(visit)
    return held


def _has_two_biases(layer: Layer, bias: Any) -> bool:
    """Whether a GRU's reset gate works behind its product, which needs a bias for either side.

    Files older than that choice do not say. There the bias tells; without one it is as it was then.
    """
    said = layer.config.get("reset_after")
    return bool(said) if said is not None else bias is not None and len(bias.shape) == 2


def shapes(name: str, layer: Layer, width: int, *, two_biases: bool) -> dict[str, tuple[int, ...]]:
    """What a layer's weights are called, in the order of an archive, and their shapes."""
    config = layer.config
    wanted: dict[str, tuple[int, ...]] = {}
    match layer.kind:
        case "Embedding":
            wanted["embeddings"] = (_size(name, layer, "input_dim"), _size(name, layer, "output_dim"))
        case "Dense":
            units = _size(name, layer, "units")
            wanted["kernel"] = (width, units)
            if config.get("use_bias", True):
                wanted["bias"] = (units,)
        case "LayerNormalization" | "BatchNormalization":
            _refuse_axis(name, layer)
            optional = (("gamma", "scale"), ("beta", "center"))
            wanted = {what: (width,) for what, used in optional if config.get(used, True)}
            if layer.kind == "BatchNormalization":
                wanted |= {"moving_mean": (width,), "moving_variance": (width,)}
        case kind if kind in RECURRENT:
            units = _size(name, layer, "units")
            gates = _GATES[kind] * units
            wanted = {"kernel": (width, gates), "recurrent_kernel": (units, gates)}
            if config.get("use_bias", True):
                wanted["bias"] = (2, gates) if kind == "GRU" and two_biases else (gates,)
    return wanted


def width_after(layer: Layer, width: int) -> int:
    """How wide a layer's output is, whose weights were read, from what it is given."""
    key = "output_dim" if layer.kind == "Embedding" else "units"
    return int(layer.config[key]) if layer.kind in (*RECURRENT, "Dense", "Embedding") else width


def _size(name: str, layer: Layer, key: str) -> int:
    value = layer.config.get(key)
    if type(value) is not int or not 1 <= value <= WIDEST:
        raise ModelError(
            f"{name} cannot be run: {key} of its layer {layer.title} has to be a number from 1 to {WIDEST:,}."
        )
    return value


def _refuse_axis(name: str, layer: Layer) -> None:
    if layer.config.get("axis", -1) not in (-1, 2, [-1], [2]):
        raise ModelError(f"{name} cannot be run: its layer {layer.title} does not work along the last axis.")


def _checked(name: str, layer: Layer, what: str, found: Any, shape: tuple[int, ...]) -> Array:
    """One weight, read; ModelError if it is not what the configuration says."""
    if found is None:
        raise ModelError(f"{name} is damaged: the {what} of its layer {layer.title} is missing.")
    if found.shape != shape or found.dtype.kind != "f":
        raise ModelError(
            f"{name} is damaged: the {what} of its layer {layer.title} has to be {_said(shape)} numbers with "
            f"a point, and is {_said(found.shape)} of {found.dtype}."
        )
    with np.errstate(over="ignore"):
        values: Array = np.asarray(found[()], np.float32)
    if not np.isfinite(values).all():
        raise ModelError(
            f"{name} cannot be used: the {what} of its layer {layer.title} has numbers that are not finite. "
            "Its training diverged, or the file is damaged."
        )
    return values


def _said(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "one"
