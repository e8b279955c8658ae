"""The data and models folders: what is in them, and the safe way from a name to a path.

A name is only ever compared with what a folder lists; no path is built from it. So no trick of
dots, slashes, encodings or null bytes leads out, and a link that leads out of the folder is not listed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inference.errors import NotFound
from inference.settings import Kind

VIDEO_SUFFIXES = frozenset(
    (
        *(".3gp", ".asf", ".avi", ".divx", ".flv", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv"),
        *(".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
    )
)
"""File name endings (lower case) that the decoder reads."""
SAVED_MODEL = "saved_model.pb"


@dataclass(frozen=True)
class ModelFile:
    """A model as the folder lists it; `key` changes when the file, or a JSON file beside it, does."""

    name: str
    path: Path
    kind: str
    key: str


class Catalog:
    """The videos in `data` and the models in `models`, as they are at each call."""

    def __init__(self, data: Path, models: Path, kinds: tuple[Kind, ...]) -> None:
        self.data = data
        self.models = models
        self._kinds = kinds

    def videos(self) -> list[str]:
        """Names of the video files, sorted."""
        return sorted(entry.name for entry in _entries(self.data) if _is_video(entry))

    def model_names(self) -> list[str]:
        """Names of the model files and of the folders that hold a model, sorted."""
        return sorted(entry.name for entry in _entries(self.models) if self._kind_of(entry))

    def video(self, name: str) -> Path:
        """Path of a video; NotFound if none has that name."""
        for entry in _entries(self.data):
            if entry.name == name and _is_video(entry):
                return entry
        raise NotFound(f"There is no video named {_shown(name)} in the data folder.")

    def model(self, name: str) -> ModelFile:
        """A model by its name; NotFound if none has it."""
        for entry in _entries(self.models):
            if entry.name == name and (kind := self._kind_of(entry)):
                return ModelFile(name, entry, kind.name, f"{name}@{_signature(entry)}")
        raise NotFound(f"There is no model named {_shown(name)} in the models folder.")

    def _kind_of(self, entry: Path) -> Kind | None:
        files = [entry] if entry.is_file() else _files(entry)
        for kind in self._kinds:
            if any(file.name.lower().endswith(kind.suffixes) for file in files):
                return kind
        # A SavedModel is a folder, and the first kind's.
        return self._kinds[0] if any(file.name == SAVED_MODEL for file in files) else None


def _is_video(entry: Path) -> bool:
    return entry.suffix.lower() in VIDEO_SUFFIXES and entry.is_file()


def _entries(folder: Path) -> Iterable[Path]:
    """The folder's own entries: hidden ones and links that lead out of it are left out."""
    try:
        root = folder.resolve(strict=True)
        names = [entry.name for entry in root.iterdir()]
    except OSError:
        return []
    entries = [folder / name for name in names if not name.startswith(".")]
    return [entry for entry in entries if not entry.is_symlink() or _inside(entry, root)]


def _inside(entry: Path, root: Path) -> bool:
    try:
        return entry.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        return False


def _files(folder: Path) -> list[Path]:
    try:
        return [entry for entry in _entries(folder) if entry.is_file()]
    except OSError:
        return []


def _signature(entry: Path) -> str:
    """Times and sizes of what a model is made of: its file or files, and the JSON file beside it."""
    parts = []
    for file in sorted(
        [entry, *_files(entry), entry.with_suffix(".json"), entry.parent / "training_config.json"]
    ):
        try:
            status = file.stat()
            parts.append(f"{status.st_mtime_ns:x}-{status.st_size:x}")
        except OSError:
            parts.append("")
    return f"{abs(hash(tuple(parts))):x}"


def _shown(name: str) -> str:
    """A name as an error message may show it: one line, not long."""
    clean = "".join(char if char.isprintable() else "�" for char in name)
    return repr(clean if len(clean) <= 80 else clean[:80] + "…")
