"""The data and models folders and the live sources: what there is, and the safe way from a name to it.

A name is only ever compared with what a folder lists; no path is built from it. So no trick of
dots, slashes, encodings or null bytes leads out. A link that leads out of the data or models folder, at
whatever depth it stands, counts as not there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.errors import NotFound, RequestError
from inference.marks import holds
from inference.settings import TAKES, Kind, Source

VIDEO_SUFFIXES = frozenset(
    (
        *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".flv", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v"),
        *(".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut"),
        *(".ogv", ".rm", ".swf", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m"),
    )
)
"""File name endings (lower case) that the decoder reads."""
SAVED_MODEL = "saved_model.pb"
SAVED_MODEL_FOLDERS = ("variables", "assets", "debug")
"""What TensorFlow also reads of a SavedModel, beside the files in its own folder."""
SLEAP_CONFIG = "training_config.json"


@dataclass(frozen=True)
class ModelFile:
    """A model as the folder lists it, or two that work as one (a centroid and a centred-instance model).

    `key` is the name and, after an @, the `signature` of each. Where it is computed less exactly than it
    could be, `video` and its key say what it was tried on: it is another model on another video.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    kind: str
    key: str
    video: Path | None = None
    video_key: str = ""

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return " + ".join(self.names)


class Catalog:
    """The videos in `data` and the models in `models`, as they are at each call, and the live sources."""

    def __init__(
        self, data: Path, models: Path, kinds: tuple[Kind, ...], sources: tuple[Source, ...] = ()
    ) -> None:
        self.data = data
        self.models = models
        self._kinds = kinds
        self._sources = sources

    def videos(self) -> list[str]:
        """Names of the video files, sorted, and then of the live sources."""
        files = sorted(entry.name for entry in entries(self.data) if _is_video(entry))
        live = [source.name for source in self._sources]
        return [name for name in files if name not in live] + live

    def model_names(self, takes: str = "video") -> list[str]:
        """Names of the model files and of the folders that hold a model which is fed with that, sorted."""
        held = ((entry.name, self._kind_of(entry)) for entry in entries(self.models))
        return sorted(name for name, kind in held if kind and kind.takes == takes)

    def video(self, name: str) -> Path | Source:
        """Path of a video, or a live source; NotFound if none has that name."""
        for source in self._sources:
            if source.name == name:
                return source
        for entry in entries(self.data):
            if entry.name == name and _is_video(entry):
                return entry
        raise NotFound(f"There is no video named {_shown(name)} in the data folder, and no such live source.")

    def model(self, *names: str, takes: str = "video") -> ModelFile:
        """A model by its name, or two by theirs, in any order; NotFound if none has it.

        RequestError if it is fed with something else.
        """
        found = [self._model(name) for name in sorted(names)]
        for path, kind in found:
            if kind.takes != takes:
                page = TAKES[kind.takes]
                raise RequestError(f"{path.name} takes a {kind.takes}; the page for it is {page}.")
        return model_file([path for path, _ in found], found[0][1].name)

    def _model(self, name: str) -> tuple[Path, Kind]:
        for entry in entries(self.models):
            if entry.name == name and (kind := self._kind_of(entry)):
                return entry, kind
        raise NotFound(f"There is no model named {_shown(name)} in the models folder.")

    def _kind_of(self, entry: Path) -> Kind | None:
        files = [entry] if entry.is_file() else files_in(entry, self.models)
        for kind in self._kinds:
            own = [file for file in files if file.name.lower().endswith(kind.suffixes)]
            if own and (not kind.marks or any(holds(file, kind.marks) for file in own)):
                return kind
        # A SavedModel is a folder, and of a kind that an engine runs.
        with_engine = next((kind for kind in self._kinds if kind.has_engine), None)
        return with_engine if any(file.name == SAVED_MODEL for file in files) else None


def model_file(paths: Sequence[Path], kind: str) -> ModelFile:
    """The model, or the two that work as one, at these paths, as they are now."""
    names = tuple(path.name for path in paths)
    return ModelFile(names, tuple(paths), kind, key_of(paths))


def key_of(paths: Sequence[Path]) -> str:
    """Names and versions of models, in one text."""
    return " + ".join(f"{path.name}@{signature(path)}" for path in paths)


def video_key(path: Path) -> str:
    """Says which version of a video stands at a path, or where a link there leads, as `signature` does."""
    path = path.resolve()
    return hashlib.blake2b(os.fsencode(_version(path, path.parent)), digest_size=8).hexdigest()


def _is_video(entry: Path) -> bool:
    return entry.suffix.lower() in VIDEO_SUFFIXES and entry.is_file()


def entries(folder: Path, root: Path | None = None) -> list[Path]:
    """What a folder holds, sorted, without hidden entries and links out of `root` (by default itself)."""
    try:
        held = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        return []
    return [entry for entry in held if not entry.is_symlink() or is_inside(entry, root or folder)]


def files_in(folder: Path, root: Path) -> list[Path]:
    """Those of a folder's `entries` that are files."""
    return [entry for entry in entries(folder, root) if entry.is_file()]


def is_inside(path: Path, root: Path) -> bool:
    """Whether a path, all its links followed, is there and lies in the folder `root`."""
    try:
        return path.resolve(strict=True).is_relative_to(root.resolve(strict=True))
    except (OSError, RuntimeError):
        return False


def signature(path: Path) -> str:
    """Says which version of a model stands at a path: any process gets the same for the same files.

    It changes when anything a predictor may read does: the model's file or all files in its folder, and
    the JSON files beside it. `path` has to stand directly in the models folder.
    """
    root = path.parent
    if path.is_dir():
        inner = [entry for entry in entries(path, root) if entry.name in SAVED_MODEL_FOLDERS]
        read = [file for folder in (path, *inner) for file in files_in(folder, root)]
        read.append(root / f"{path.name}.json")
    else:
        read = [path, path.with_suffix(".json"), root / SLEAP_CONFIG]
    digest = hashlib.blake2b(digest_size=8)
    for file in read:
        digest.update(os.fsencode(f"{file.relative_to(root)}\0{_version(file, root)}\0"))
    return digest.hexdigest()


def _version(file: Path, root: Path) -> str:
    """What changes with a file's content, short of reading it; empty if there is none."""
    try:
        if not is_inside(file, root):
            return ""
        status = file.stat()
    except OSError:
        return ""
    # ctime and the link's target, since models of one shape have one size, and copies may share a time
    return f"{status.st_mtime_ns:x}-{status.st_ctime_ns:x}-{status.st_size:x}-{file.resolve()}"


def _shown(name: str) -> str:
    """A name as an error message may show it: one line, not long."""
    clean = "".join(char if char.isprintable() else "�" for char in name)
    return repr(clean if len(clean) <= 80 else clean[:80] + "…")
