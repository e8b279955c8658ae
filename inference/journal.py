"""Journals: each run's instances, written as they stream, so that a kill of any process loses none.

A journal is one file. Each record in it is its length, its checksum and a message of `messages.py` as
`wire.py` puts it, added by a single write; a tail that was cut off in the middle of one is dropped when the
file is opened again. What is in the kernel's hands survives any process; only a power cut can lose it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from inference import wire
from inference.errors import JournalError, WireError
from inference.messages import EndRecord, FailureRecord, FrameRecord, Instances, RunFacts

SUFFIX = ".journal"
_HEAD = struct.Struct("<II")
_MOST = 1 << 28
"""Bytes that no record has: a longer one is damage, not a reason to allocate."""


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
        """Take one record; a frame that is there already stays as it was, unless it had failed."""
        match record:
            case FrameRecord(frame, instances, tracks):
                if frame not in self.frames:
                    self.frames[frame], self.tracks[frame] = instances, tracks
                    self.failures.pop(frame, None)
            case FailureRecord(frame, message):
                if frame not in self.frames:
                    self.failures[frame] = message
            case EndRecord(end, error):
                if error is None:
                    self.end = end


class Journal:
    """A run's journal, open for writing; safe for several streams of the run at once.

    It knows where in its file each frame is, and holds none of them: a run may be long.
    """

    def __init__(self, path: Path, facts: RunFacts) -> None:
        """Begin a journal, or continue the one that is there; JournalError if that is of something else.

        `facts` are what the stream is of; a continued journal keeps its own. Raises OSError as files do.
        """
        self.path = path
        self.broken = False
        self.facts = facts
        self.failures: set[int] = set()
        self.end: int | None = None
        self.next_track = 0
        """Above all tracks that viewers saw."""
        self.size = 0
        self._places: dict[int, int] = {}
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _lock(self._file, path)
            self._continue(facts)
        except BaseException:
            os.close(self._file)
            raise

    def _continue(self, facts: RunFacts) -> None:
        with self.path.open("rb") as file:
            for record, start, stop in _records(file):
                if start == 0 and isinstance(record, RunFacts):
                    self.facts = record
                elif start == 0:
                    break
                self._note(record, start)
                self.size = stop
        # what a write that was cut off left behind would hide all that follows
        os.ftruncate(self._file, self.size)
        if self.size == 0:
            self._write(facts)
        refuse_other(self.facts, facts)

    def add(self, record: FrameRecord | FailureRecord | EndRecord) -> None:
        """Write one record down; OSError if that cannot be, and from then on nothing is written any more."""
        with self._lock:
            known = isinstance(record, FrameRecord | FailureRecord) and record.frame in self._places
            if self.broken or known:
                return
            start = self.size
            try:
                self._write(record)
            except OSError:
                self.broken = True
                raise
            self._note(record, start)

    def _note(self, record: Any, start: int) -> None:
        match record:
            case FrameRecord(frame, _, tracks):
                self._places.setdefault(frame, start)
                self.next_track = max(self.next_track, *(track + 1 for track in tracks), 0)
                self.failures.discard(frame)
            case FailureRecord(frame) if frame not in self._places:
                self.failures.add(frame)
            case EndRecord(end, None):
                self.end = end

    def _write(self, record: Any) -> None:
        data = _encode(record)
        written = os.write(self._file, data)
        if written < len(data):
            os.ftruncate(self._file, self.size)
            raise OSError("no space left for a whole record")
        self.size += written

    @property
    def frames(self) -> Collection[int]:
        """Which frames were predicted and are written down."""
        return self._places.keys()

    def at(self, frame: int) -> FrameRecord | None:
        """A frame's record, if there is one."""
        if frame not in self._places:
            return None
        start = self._places[frame]
        length, _ = _HEAD.unpack(os.pread(self._file, _HEAD.size, start))
        record: FrameRecord = _decode(os.pread(self._file, length, start + _HEAD.size))
        return record

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.broken = True
            os.close(self._file)


def _lock(file: int, path: Path) -> None:
    """Keep a second program from writing the same journal; the lock ends with its process."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise JournalError(f"The run {path.stem} is being recorded by another program.") from error


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
    try:
        recording = _load(path)
    except OSError as error:
        raise JournalError(f"The recording {path.stem} cannot be read: {error.strerror}.") from error
    if recording is None:
        raise JournalError(f"The recording {path.stem} is empty or damaged: it does not say what it is of.")
    return recording


def facts_of(path: Path) -> RunFacts | None:
    """What a journal is of; None if there is none that says so."""
    try:
        with path.open("rb") as file:
            record, _, _ = next(_records(file), (None, 0, 0))
    except OSError:
        return None
    return record if isinstance(record, RunFacts) else None


def _load(path: Path) -> Recording | None:
    """What a journal holds."""
    recording = None
    with path.open("rb") as file:
        for record, _, _ in _records(file):
            if recording is None and isinstance(record, RunFacts):
                recording = Recording(record)
            elif recording is None:
                return None
            else:
                recording.add(record)
    return recording


def _records(file: BinaryIO) -> Iterator[tuple[Any, int, int]]:
    """Every whole record with where it starts and ends, up to the first that is damaged or cut off."""
    start = 0
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        length, checksum = _HEAD.unpack(head)
        if length > _MOST:
            return
        body = file.read(length)
        if len(body) < length or zlib.crc32(body) != checksum:
            return
        try:
            record = _decode(body)
        except WireError:
            return
        yield record, start, file.tell()
        start = file.tell()


def _encode(record: Any) -> bytes:
    parts = [bytes(part) for part in wire.encode(record)]
    lengths = struct.pack(f"<H{len(parts)}I", len(parts), *map(len, parts))
    body = b"".join([lengths, *parts])
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _decode(body: bytes) -> Any:
    try:
        (count,) = struct.unpack_from("<H", body)
        lengths = struct.unpack_from(f"<{count}I", body, 2)
    except struct.error as error:
        raise WireError("a record is cut off") from error
    parts, at = [], 2 + 4 * count
    for length in lengths:
        parts.append(body[at : at + length])
        at += length
    return wire.decode(parts)
