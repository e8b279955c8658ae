"""What was made of models for an engine, kept in a folder so that it is made once: the cache.

An entry is a folder named by a hash of all that its content depends on. It is made beside its place and
then renamed, under a lock that all processes share, so that there is never half of one and two workers do not
make the same. What takes much memory to make is made by a program of its own (`run`). The least recently
used entries are deleted when all together take too much. Knows no engine's library.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any, TypeVar

from inference.errors import InferenceError, ModelError
from inference.model_files import Format, StoredModel

log = logging.getLogger(__name__)

LAYOUT = "2"
"""To be raised when what is written into an entry changes: old entries then count for nothing."""

ORDER = "order.json"
"""What a program that makes an entry is told, in the folder that it fills."""

REFUSED, NOT_CONVERTED = 2, 3
"""Its exit status when the model is at fault, and when OpenVINO is not made for it."""

_PACKAGE = pathlib.Path(__file__).resolve().parents[1]
_USED = ".used"
_CANNOT = "cannot.txt"
_CHUNK = 1 << 20


class CannotConvert(ModelError):
    """OpenVINO cannot run this model, or computes something else than TensorFlow does."""


class ProgramFailed(ModelError):
    """A program of this package ended without a word for the user. `status`: below 0, minus the signal."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


_DAMAGED = (RuntimeError, OSError, ValueError, LookupError, TypeError)
"""What reading raises of files that are not as they were written."""

Content = TypeVar("Content")

Make = Callable[[pathlib.Path], None]
"""Fills a new, empty folder."""


class Cache:
    """A folder of entries, shared by any number of processes."""

    def __init__(self, folder: pathlib.Path, most_bytes: int) -> None:
        """At most so many bytes are kept, but never less than what is in use."""
        self.folder = folder.absolute()
        self.most_bytes = most_bytes

    def entry(self, key: str, make: Make) -> pathlib.Path:
        """The folder of an entry, made if it is not there.

        Raises what `make` does, and CannotConvert if the cache's folder cannot be written.
        """
        place = self.folder / key
        try:
            if not (place / _USED).is_file():
                self.folder.mkdir(parents=True, exist_ok=True)
                with _locked(self.folder / f"{key}.lock"):
                    if not (place / _USED).is_file():
                        self._make(place, make)
        except OSError as error:
            log.exception("the cache cannot be used")
            raise CannotConvert(
                f"The cache folder {self.folder} cannot be written ({error.strerror or error}): "
                "name another with --cache."
            ) from error
        with contextlib.suppress(OSError):
            os.utime(place / _USED)
        return place

    def opened(self, key: str, make: Make, read: Callable[[pathlib.Path], Content]) -> Content:
        """What `read` makes of an entry; one that it finds damaged is made again, once. Raises as `entry`."""
        place = self.entry(key, make)
        try:
            return read(place)
        except _DAMAGED:
            log.warning("what the cache holds at %s is damaged, and is made again", place, exc_info=True)
            shutil.rmtree(place, ignore_errors=True)
        return read(self.entry(key, make))

    def _make(self, place: pathlib.Path, make: Make) -> None:
        new = place.with_name(f".{place.name}")
        # what a process that died in the middle left behind goes first
        for old in (new, place):
            shutil.rmtree(old, ignore_errors=True)
        new.mkdir()
        try:
            make(new)
            (new / _USED).touch()
            new.rename(place)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        self._prune(place)

    def _prune(self, newest: pathlib.Path) -> None:
        """Delete the least recently used entries until the rest fits; the newest stays."""
        held: list[tuple[float, pathlib.Path, int]] = []
        for used in self.folder.glob(f"*/{_USED}"):
            # another process may be making one (its name is hidden) or deleting one
            with contextlib.suppress(OSError):
                if not used.parent.name.startswith("."):
                    held.append((used.stat().st_mtime, used.parent, _size(used.parent)))
        total = sum(size for _, _, size in held)
        for _, place, size in sorted(held):
            if total <= self.most_bytes:
                return
            if place != newest:
                # what a process has open stays readable to it, or, on some systems, cannot be deleted
                shutil.rmtree(place, ignore_errors=True)
                total -= size


@contextlib.contextmanager
def _locked(file: pathlib.Path) -> Iterator[None]:
    """Hold a lock that ends with its process; the file stays, as others may be waiting at it."""
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _size(folder: pathlib.Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def key(*parts: str) -> str:
    """A name for an entry: the same for the same parts, this program's layout and the makers' versions."""
    versions = (metadata.version(name) for name in ("openvino", "nncf", "tensorflow"))
    text = "\0".join([LAYOUT, *versions, *parts])
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def model_hash(model: StoredModel) -> str:
    """A hash of all of a model's own files, by content."""
    digest = hashlib.blake2b(digest_size=16)
    files = [model.path]
    if model.format is Format.SAVED_MODEL:
        files = sorted(file for file in model.path.rglob("*") if file.is_file())
    for file in files:
        digest.update(f"{file.relative_to(model.path.parent)}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as content:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def convert(
    cache: Cache,
    model: StoredModel,
    *,
    any_size: bool,
    allow_model_code: bool,
    tell: Callable[[str], None] = lambda step: None,
    read: Callable[[pathlib.Path], Content],
) -> Content:
    """What `read` makes of the folder of a model as OpenVINO runs it.

    Made in a process of its own when it is not there yet, after `tell` has heard of it. ModelError says why
    it cannot be; that OpenVINO is not made for it, CannotConvert, is kept as well.
    """
    name = key("exact", model_hash(model), str(any_size))

    def make(folder: pathlib.Path) -> None:
        tell("converting it, which takes some seconds the first time")
        order = {
            "path": str(model.path.absolute()),
            "name": model.name,
            "format": model.format.name,
            "config": model.config,
            "any_size": any_size,
            "allow_model_code": allow_model_code,
        }
        try:
            run("inference.engines.conversion", folder, order)
        except CannotConvert as error:
            (folder / _CANNOT).write_text(str(error))

    def read_if_converted(folder: pathlib.Path) -> Content:
        if (folder / _CANNOT).is_file():
            raise CannotConvert((folder / _CANNOT).read_text())
        return read(folder)

    return cache.opened(name, make, read_if_converted)


@contextlib.contextmanager
def ordered(folder: pathlib.Path) -> Iterator[dict[str, Any]]:
    """For a program that fills an entry: its order. It ends with an error for the user, or its parent."""
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        yield json.loads((folder / ORDER).read_text())
    except InferenceError as error:
        sys.stdout.write(f"{error}\n")
        raise SystemExit(NOT_CONVERTED if isinstance(error, CannotConvert) else REFUSED) from error


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(1)


def run(module: str, folder: pathlib.Path, order: dict[str, Any], limit: float | None = None) -> None:
    """Have a program of this package fill an entry's folder; ModelError with what it says if it fails.

    ProgramFailed if it says nothing, subprocess.TimeoutExpired if it is not done within `limit` s. Its
    stdin stays open for as long as this process lives: the end of it tells the other of a death.
    """
    (folder / ORDER).write_text(json.dumps(order))
    theirs, ours = os.pipe()
    try:
        done = subprocess.run(  # noqa: S603 - this package's own programs
            [sys.executable, "-m", module, str(folder)],
            stdin=theirs,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=_PACKAGE.parent,
            timeout=limit,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
        (folder / ORDER).unlink()
    if done.returncode == 0:
        log.debug("%s: %s", module, done.stderr)
        return
    said = done.stdout.strip().splitlines()
    expected = done.returncode in (REFUSED, NOT_CONVERTED) and said
    level = logging.INFO if expected else logging.ERROR
    log.log(level, "%s ended with status %d: %s", module, done.returncode, done.stderr)
    if expected:
        raise (ModelError if done.returncode == REFUSED else CannotConvert)(said[-1])
    raise ProgramFailed(
        f"The model could not be prepared for OpenVINO (exit status {done.returncode}); the log says more. "
        "--engine tensorflow does without.",
        done.returncode,
    )
