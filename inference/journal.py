"""Journals: each run's instances, written as they stream, so that a kill of any process loses none.

A journal is one file of records (`records.py`), each added by a single write; a tail that was cut off in the
middle of one is dropped when the file is opened again. What is in the kernel's hands survives any process;
only a power cut can lose it.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference import records
from inference.errors import JournalError, JournalInUse, WireError
from inference.journal_index import Index, holds
from inference.messages import EndRecord, FailureRecord, FrameRecord, Instances, RunFacts

SUFFIX = ".journal"


@dataclass
class Recording:
    """All that a journal holds: instances by frame, failures by frame, and the tracks that viewers saw."""

    facts: RunFacts
    frames: dict[int, Instances] = field(default_factory=dict)
    tracks: dict[int, tuple[int, ...]] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    end: int | None = None
    """One more than the video's last frame, once a stream has reached it."""

    def add(self, record: Any) -> None:
        """Take one record, unless it says nothing that holds."""
        if not holds(record, self.frames, self.failures):
            return
        match record:
            case FrameRecord(frame, instances, tracks):
                self.frames[frame], self.tracks[frame] = instances, tracks
                self.failures.pop(frame, None)
            case FailureRecord(frame, message):
                self.failures[frame] = message
            case EndRecord(end, None):
                self.end = end


class Journal(Index):
    """A run's journal, open for writing; safe for several streams of the run at once.

    It knows where in its file each frame is, and holds none of them.
    """

    def __init__(self, path: Path, facts: RunFacts) -> None:
        """Begin a journal, or continue the one that is there; JournalError if that is of something else.

        `facts` are what the stream is of; a continued journal keeps its own. Raises OSError as files do.
        """
        super().__init__(facts)
        self.path = path
        self.size = 0
        self._lock = threading.Lock()
        self._file = _open_alone(path, os.O_CREAT)
        try:
            self._continue(facts)
        except BaseException:
            os.close(self._file)
            raise

    def _continue(self, facts: RunFacts) -> None:
        with os.fdopen(self._file, "rb", closefd=False) as file:
            for record, start, stop in records.read(file, records.glance):
                if start == 0:
                    # whole, and not understood: a later version's, which is not to be lost
                    self.facts = _facts(self.path, record)
                self.note(record, start)
                self.size = stop
        # what a write that was cut off left behind would hide all that follows
        os.ftruncate(self._file, self.size)
        if self.size == 0:
            self._write(facts)
        refuse_other(self.facts, facts)

    def add(self, record: FrameRecord | FailureRecord | EndRecord) -> None:
        """Write one record down, unless it says nothing that holds; OSError if that cannot be.

        The file is whole then all the same, and the next one may find room again.
        """
        with self._lock:
            if self.takes(record):
                start = self.size
                self._write(record)
                self.note(record, start)

    def _write(self, record: Any) -> None:
        data = records.encode(record)
        # at its place, not at the file's end: there may be what is left of one that was cut off
        written = os.pwrite(self._file, data, self.size)
        if written < len(data):
            os.ftruncate(self._file, self.size)
            raise OSError("no space left for a whole record")
        self.size += written

    def at(self, frame: int) -> FrameRecord | None:
        """A frame's record, if there is one that can be read."""
        start = self.place(frame)
        if start is None:
            return None
        length, _ = records.HEAD.unpack(os.pread(self._file, records.HEAD.size, start))
        try:
            record: FrameRecord = records.decode(os.pread(self._file, length, start + records.HEAD.size))
        except WireError:
            return None
        return record

    @property
    def is_there(self) -> bool:
        """Whether the file is still at its path: somebody may have deleted it by hand."""
        return _is_at(self.path, self._file)

    def close(self) -> None:
        """Close the file; nothing can be written any more."""
        with self._lock:
            _let_go(self._file)
            self._file = -1


def remove(path: Path) -> None:
    """Delete a journal that nobody has open; JournalError if somebody has, or if it cannot be deleted."""
    try:
        file = _open_alone(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot(path, "deleted", error) from error
    try:
        path.unlink()
    except OSError as error:
        raise _cannot(path, "deleted", error) from error
    finally:
        _let_go(file)


def _open_alone(path: Path, flags: int = 0) -> int:
    """Open a journal that no other program has open, and keep it from them; that ends with the process."""
    while True:
        file = os.open(path, os.O_RDWR | flags, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, file):
                return file
        except BaseException as error:
            os.close(file)
            if isinstance(error, BlockingIOError):
                raise JournalInUse(
                    f"The recording {path.stem} is open in another program: end that one first."
                ) from error
            raise
        # whoever had it open a moment ago has deleted it
        os.close(file)


def _let_go(file: int) -> None:
    # closing is not enough: a process that is being started at this moment has a copy, and with it the lock
    fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def refuse_other(held: RunFacts, wanted: RunFacts) -> None:
    """Raise a JournalError, which says what differs, if two streams cannot be of one run."""
    for what, held_is, wanted_is in (
        (
            "another video, or another version of it",
            (held.video, held.video_key),
            (wanted.video, wanted.video_key),
        ),
        (
            "another model, or another version of it",
            (held.models, held.model_key),
            (wanted.models, wanted.model_key),
        ),
        ("other settings", held.options, wanted.options),
        ("other tracking", held.tracking, wanted.tracking),
    ):
        if held_is != wanted_is:
            raise JournalError(
                f"The run {held.run} was recorded with {what}; "
                "what is asked for now needs a run_id of its own."
            )


def read(path: Path) -> Recording:
    """Read a journal, also one that is being written; JournalError if it is none."""
    with _begun(path, records.decode) as (facts, others):
        recording = Recording(facts)
        for record, _, _ in others:
            recording.add(record)
    return recording


def read_index(path: Path) -> Index:
    """The same without the instances: in a quarter of the time, and with no memory for them; JournalError."""
    with _begun(path, records.glance) as (facts, others):
        index = Index(facts)
        for record, start, _ in others:
            index.note(record, start)
    return index


def facts_of(path: Path) -> RunFacts | None:
    """What a journal is of; None if there is none that says so."""
    try:
        with _begun(path, records.decode) as (facts, _):
            return facts
    except JournalError:
        return None


@contextmanager
def _begun(path: Path, decode: records.Decode) -> Iterator[tuple[RunFacts, Iterator[records.Placed]]]:
    """What a journal is of, and its other records; JournalError if it does not say so, or cannot be read."""
    try:
        with path.open("rb") as file:
            others = records.read(file, decode)
            record, _, _ = next(others, (None, 0, 0))
            yield _facts(path, record), others
    except OSError as error:
        raise _cannot(path, "read", error) from error


def _facts(path: Path, record: Any) -> RunFacts:
    """A journal's first record; JournalError if it is none."""
    if not isinstance(record, RunFacts):
        raise JournalError(f"The recording {path.stem} is empty or damaged: it does not say what it is of.")
    return record


def _cannot(path: Path, what: str, error: OSError) -> JournalError:
    return JournalError(f"The recording {path.stem} cannot be {what}: {error.strerror}.")
