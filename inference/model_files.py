"""Model files before they are loaded: which file it is, of which format, and what it says of itself.

Reads only h5py, zipfile and JSON: nothing in here imports TensorFlow or runs anything of a model's. Every
error is a ModelError that names the file (never where it lies), what was found and what is needed.

A model stands directly in the models folder, and nothing outside that folder is opened for it: a link that
leads out, from wherever in a model, counts as not there.
"""

from __future__ import annotations

import enum
import io
import json
import pathlib
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import h5py

from inference import archives, model_code
from inference.catalog import SAVED_MODEL, SLEAP_CONFIG, files_in, is_inside
from inference.errors import ModelError
from inference.settings import KINDS

SUFFIXES = next(kind.suffixes for kind in KINDS if kind.name == "pose")
"""What a model file's name ends in; a SavedModel is a folder instead."""

PREFERRED = "best_model.h5"

MOST_JSON = 64 << 20
"""Bytes of JSON that are read; real configurations have some hundred thousand."""

_WEIGHTS = "model_weights"
_ARCHIVED_WEIGHTS = "model.weights.h5"
UNREADABLE = (
    *(OSError, RuntimeError, LookupError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error, EOFError),
)
"""What h5py and zipfile raise of a damaged file."""
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Format(enum.Enum):
    """What wrote a model, and so what must read it."""

    H5_KERAS2 = "an HDF5 file of Keras 2"
    H5_KERAS3 = "an HDF5 file of Keras 3"
    ZIP_KERAS2 = "a .keras file of Keras 2"
    ZIP_KERAS3 = "a .keras file of Keras 3"
    SAVED_MODEL = "a SavedModel"


@dataclass(frozen=True)
class StoredModel:
    """One model on disk, found and looked at, not loaded.

    `path` is the file, or a SavedModel's folder; `name` is what to call it in messages; `config` is its
    Keras configuration (None for a SavedModel, whose graph stands for itself), `keras_version` what wrote it
    (None: it does not say). `sleap_config` and `companion` are the JSON files that belong to it, where there
    are any: the companion is named as the model is, and is a plain pose model's skeleton or a character
    model's vocabulary.
    """

    path: pathlib.Path
    name: str
    format: Format
    config: dict[str, Any] | None
    sleap_config: pathlib.Path | None = None
    companion: pathlib.Path | None = None
    keras_version: str | None = None


def find(path: pathlib.Path) -> pathlib.Path:
    """The model file meant by a path: itself, or in a folder `best_model.h5`, else the only one there.

    A SavedModel is found as its `saved_model.pb`.
    """
    root = path.parent
    if not is_inside(path, root):
        raise ModelError(f"There is no model {path.name}.")
    if not path.is_dir():
        if path.suffix.lower() in SUFFIXES and path.is_file():
            return path
        raise ModelError(f"{path.name} is no model file: its name has to end in {', '.join(SUFFIXES)}.")
    files = files_in(path, root)
    if path / PREFERRED in files:
        return path / PREFERRED
    held = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not held and path / SAVED_MODEL in files:
        return path / SAVED_MODEL
    if len(held) != 1:
        found = "none" if not held else ", ".join(p.name for p in held)
        raise ModelError(
            f"The folder {path.name} has to hold {PREFERRED}, or exactly one other model "
            f"({', '.join(SUFFIXES)}, or a SavedModel's {SAVED_MODEL}); it holds {found}."
        )
    return held[0]


def inspect(path: pathlib.Path, *, allow_model_code: bool = False) -> StoredModel:
    """Find a model and read what it says of itself; refuse it if it is broken or carries code."""
    file = find(path)
    name = path.name if file == path else f"{path.name}/{file.name}"
    held = companion(path)
    # a companion is of one model alone, so it is the closer word where both stand there
    sleap_config = _first_file([file.parent / SLEAP_CONFIG], path.parent) if held is None else None
    if file.name == SAVED_MODEL and file != path:
        if not allow_model_code:
            model_code.refuse_in_saved_model(name, _read_bytes(file, name))
        _refuse_links_out(path)
        return StoredModel(file.parent, name, Format.SAVED_MODEL, None, sleap_config, held)
    read = _read_zip if file.suffix.lower() == ".keras" else _read_hdf5
    form, config, version = read(file, name)
    # how a model was trained (its losses, its metrics) is nobody's business here, and may name code
    config.pop("compile_config", None)
    if not allow_model_code:
        model_code.refuse_in_config(name, config)
    return StoredModel(file, name, form, config, sleap_config, held, version)


def companion(path: pathlib.Path) -> pathlib.Path | None:
    """The JSON file that is named as the model at a path is, if there is one: `best_model.json`.

    It stands beside `best_model.h5`; for a folder also, as `<folder>.json`, beside the folder.
    """
    file = find(path)
    candidates = [file.with_suffix(".json")]
    if file != path:
        candidates.append(path.with_name(path.name + ".json"))
    return _first_file(candidates, path.parent)


def read_json(file: pathlib.Path) -> dict[str, Any]:
    """A JSON file that has to hold an object."""
    try:
        with file.open("rb") as stream:
            return _json_object(stream.read(MOST_JSON + 1), file.name)
    except OSError as error:
        raise ModelError(f"{file.name} cannot be read: {error.strerror}.") from error


def read_skeleton(file: pathlib.Path) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Node names and edges (pairs of positions in the nodes) from a plain model's skeleton file.

    It is `{"nodes": ["head", "tail"], "edges": [[0, 1]]}`; `edges` may be left out.
    """
    content = read_json(file)
    nodes, edges = content.get("nodes"), content.get("edges", [])
    if not isinstance(nodes, list) or not nodes or not all(isinstance(node, str) and node for node in nodes):
        raise ModelError(f'{file.name}: "nodes" has to be a list of names, such as ["head", "tail"].')
    if len(set(nodes)) != len(nodes):
        raise ModelError(f'{file.name}: each name in "nodes" may stand there only once.')
    if not isinstance(edges, list) or not all(_is_edge(edge, len(nodes)) for edge in edges):
        raise ModelError(
            f'{file.name}: "edges" has to be a list of pairs of different whole numbers from 0 to '
            f"{len(nodes) - 1}, the positions of two nodes, such as [[0, 1]]."
        )
    return tuple(nodes), tuple((edge[0], edge[1]) for edge in edges)


def _is_edge(edge: Any, n_nodes: int) -> bool:
    return (
        isinstance(edge, list)
        and len(edge) == 2
        and all(type(end) is int and 0 <= end < n_nodes for end in edge)
        and edge[0] != edge[1]
    )


def _first_file(candidates: list[pathlib.Path], root: pathlib.Path) -> pathlib.Path | None:
    return next((file for file in candidates if file.is_file() and is_inside(file, root)), None)


def _refuse_links_out(path: pathlib.Path) -> None:
    """Raise a ModelError if what TensorFlow reads of a SavedModel leads out, as it would follow the link.

    The assets, which the graph names, are the engine's to look at.
    """
    read = [path / "fingerprint.pb"]
    for folder in (path / "variables", path / "debug"):
        read += [folder, *(folder.iterdir() if folder.is_dir() else ())]
    for entry in read:
        if entry.is_symlink() and not is_inside(entry, path.parent):
            raise ModelError(
                f"{path.name}/{entry.relative_to(path)} is a link to nothing in the models folder: "
                "put there what it stands for."
            )


def _read_bytes(file: pathlib.Path, name: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(f"{name} cannot be read: {error.strerror}.") from error


def _read_hdf5(file: pathlib.Path, name: str) -> tuple[Format, dict[str, Any], str | None]:
    """Format, configuration and version of a Keras HDF5 file; without a version it is of Keras 2."""
    try:
        with file.open("rb") as stream:
            start = stream.read(len(_HDF5_SIGNATURE))
        if start != _HDF5_SIGNATURE:
            found = (
                "an empty file"
                if not start
                else "a zip archive"
                if start[:2] == b"PK"
                else "no HDF5 file at all"
            )
            raise ModelError(
                f"{name} is no model: an HDF5 file written by Keras is needed, and it is {found}."
            )
        with h5py.File(file, "r") as content:
            archives.refuse_hdf5(name, content, file.stat().st_size)
            said = content.attrs.get("keras_version")
            version = None if said is None else _text(said)
            config = content.attrs.get("model_config")
            groups = sorted(content)
    except UNREADABLE as error:
        raise ModelError(f"{name} is damaged or cut off: it begins as HDF5 but cannot be read.") from error
    if config is None:
        raise ModelError(_without_config(name, groups))
    if _WEIGHTS not in groups:
        raise ModelError(
            f"{name} holds no weights: they have to be in its group {_WEIGHTS}, and it holds "
            f"{_few(groups)}. Save the whole model, with model.save(…)."
        )
    form = Format.H5_KERAS3 if _major(version) == "3" else Format.H5_KERAS2
    return form, _json_object(config, name), version


def _without_config(name: str, groups: list[str]) -> str:
    return (
        f"{name} holds no model, only weights or other data ({_few(groups)}): the architecture is missing. "
        "Save the whole model, with model.save(…), not model.save_weights(…)."
    )


def _few(groups: list[str]) -> str:
    return ", ".join(groups[:3]) + (", …" if len(groups) > 3 else "") if groups else "nothing"


def _read_zip(file: pathlib.Path, name: str) -> tuple[Format, dict[str, Any], str | None]:
    """Format, configuration and version of a `.keras` archive."""
    if not zipfile.is_zipfile(file):
        raise ModelError(
            f"{name} is no model, or is cut off: a .keras file is a zip archive, and this is none."
        )
    try:
        with zipfile.ZipFile(file) as archive:
            archives.refuse_archive(name, archive, file.stat().st_size)
            missing = {"config.json", "metadata.json", _ARCHIVED_WEIGHTS} - set(archive.namelist())
            if missing:
                raise ModelError(
                    f"{name} is no Keras model: the archive lacks {' and '.join(sorted(missing))}. "
                    "Save the model with model.save(…)."
                )
            metadata = _json_object(archive.read("metadata.json"), f"{name} (metadata.json)")
            config = _json_object(archive.read("config.json"), f"{name} (config.json)")
            weights = archive.read(_ARCHIVED_WEIGHTS)
        with h5py.File(io.BytesIO(weights), "r") as content:
            archives.refuse_hdf5(name, content, len(weights))
    except UNREADABLE as error:
        raise ModelError(f"{name} is damaged: its archive cannot be read.") from error
    version = None if "keras_version" not in metadata else str(metadata["keras_version"])
    return (Format.ZIP_KERAS2 if _major(version) == "2" else Format.ZIP_KERAS3), config, version


def _major(version: str | None) -> str:
    return (version or "").split(".")[0]


def _json_object(content: Any, name: str) -> dict[str, Any]:
    try:
        if len(content) > MOST_JSON:
            raise ModelError(f"{name} cannot be read: more than {MOST_JSON >> 20} MB of JSON stand in it.")
        value = json.loads(_text(content))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{name} cannot be read: its JSON is broken ({error}).") from error
    if not isinstance(value, dict):
        raise ModelError(f"{name} has to hold a JSON object, and holds a {type(value).__name__}.")
    return value


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
