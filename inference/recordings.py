"""The folder of recorded runs: one journal each, listed, deleted, and kept within a size.

The oldest runs that nobody is watching go first. Several streams of one run share its journal.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from inference import journal
from inference.errors import Conflict, JournalError, NotFound
from inference.journal import SUFFIX, Journal
from inference.listing import Listing, Summary
from inference.messages import PoseOptions, RunFacts
from inference.query import RUN_ID

log = logging.getLogger(__name__)

IDLE = 4
"""Journals that stay open though nobody writes them."""
_LOOK_EVERY = 1 << 20
"""A journal that grew by so many bytes is weighed against the limit again."""


@dataclass
class _Held:
    """A journal that is open here; None: it is being opened. Without users, it is kept at hand."""

    journal: Journal | None = None
    users: int = 0
    weighed: int = 0
    """Its bytes when there was room for it last."""
    opening: threading.Lock = field(default_factory=threading.Lock)


class Recordings:
    """The folder; safe to be used by several threads.

    Nobody reads a journal under the lock of all: that takes long, and every stream needs that lock.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        """`limit` is in bytes, for all journals together; the folder is made when it is first needed."""
        self.folder = folder
        self._limit = limit
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._listing = Listing()

    # Writing ---------------------------------------------------------------------------------------

    def check(self, facts: RunFacts) -> None:
        """Raise a JournalError if a run of that name was recorded of something else (its tracking aside)."""
        if self._path(facts.run).is_symlink():
            raise JournalError("There is a link of that name in the folder of runs: take another run_id.")
        at_hand, _ = self._at_hand(facts.run)
        held = at_hand.facts if at_hand else journal.facts_of(self._path(facts.run))
        if held is not None:
            journal.refuse_other(held, dataclasses.replace(facts, tracking=held.tracking))

    def open(self, facts: RunFacts) -> Journal:
        """The run's journal, begun or continued; JournalError if it is of something else; OSError."""
        with self._lock:
            # from here on nobody deletes it
            held = self._held.setdefault(facts.run, _Held())
            held.users += 1
        try:
            # a second stream of the run waits here for the first, and nobody else does
            with held.opening:
                if held.journal and held.users == 1 and not held.journal.is_there:
                    held.journal.close()
                    held.journal = None
                if held.journal is None:
                    self.folder.mkdir(parents=True, exist_ok=True)
                    with self._lock:
                        self._make_room()
                    held.journal = Journal(self._path(facts.run), facts)
                journal.refuse_other(held.journal.facts, facts)
                return held.journal
        except BaseException:
            self._let_go(facts.run)
            raise

    def close(self, held: Journal) -> None:
        """Say that one stream less writes this journal."""
        self._let_go(held.path.stem)

    def _let_go(self, run: str) -> None:
        with self._lock:
            held = self._held[run]
            held.users -= 1
            if held.users == 0 and held.journal is None:
                del self._held[run]
            elif held.users == 0:
                # kept at hand: a viewer who seeks leaves and comes back at once, and reading it takes long
                self._held[run] = self._held.pop(run)
                idle = [name for name, one in self._held.items() if one.users == 0]
                for name in idle[:-IDLE]:
                    self._put_away(name)

    def _put_away(self, run: str) -> None:
        held = self._held.pop(run, None)
        if held is not None and held.journal is not None:
            held.journal.close()

    def has_room(self, held: Journal) -> bool:
        """Whether a journal may grow on: old ones are deleted for it, but not those being written."""
        known = self._held[held.path.stem]
        if held.size - known.weighed < _LOOK_EVERY:
            return True
        with self._lock:
            room = self._make_room()
        if room:
            known.weighed = held.size
        return room

    def _make_room(self) -> bool:
        """Delete the oldest runs until the rest fits; False if even then it does not."""
        files = self._files()
        total = sum(status.st_size for status in files.values())
        for path, status in sorted(files.items(), key=lambda one: one[1].st_mtime):
            if total <= self._limit:
                break
            try:
                self._remove(path.stem)
            except Conflict as error:
                log.info("no room is made of %s: %s", path.stem, error)
            else:
                log.warning("the recording %s was deleted to stay within the size limit", path.stem)
                total -= status.st_size
        return total <= self._limit

    # Reading ---------------------------------------------------------------------------------------

    def summaries(self) -> list[Summary]:
        """Every recorded run, the newest first."""
        return self._listing.of(self._files(), self._at_hand)

    def path(self, run: str) -> Path:
        """A run's journal; NotFound if none has that name."""
        if not RUN_ID.fullmatch(run) or not _is_own(self._path(run)):
            raise NotFound("There is no recorded run of that name.")
        return self._path(run)

    def delete(self, run: str) -> None:
        """Delete a run's journal; NotFound, or Conflict while it is being written, here or elsewhere."""
        with self._lock:
            self.path(run)
            self._remove(run)

    def _remove(self, run: str) -> None:
        if run in self._held and self._held[run].users:
            raise Conflict("This run is still going on: stop it first, then delete its recording.")
        self._put_away(run)
        journal.remove(self._path(run))

    def _path(self, run: str) -> Path:
        return self.folder / f"{run}{SUFFIX}"

    def _files(self) -> dict[Path, os.stat_result]:
        """All journals; another program may take them away meanwhile."""
        found = {}
        for path in self.folder.glob(f"*{SUFFIX}"):
            with suppress(OSError):
                if RUN_ID.fullmatch(path.stem) and _is_own(path):
                    found[path] = path.stat()
        return found

    def _at_hand(self, run: str) -> tuple[Journal | None, bool]:
        """A run's journal, if it is open here, and whether it is being written."""
        with self._lock:
            held = self._held.get(run)
            return (None, False) if held is None else (held.journal, held.users > 0)


def _is_own(path: Path) -> bool:
    """Whether a journal is a file of the folder; a link may lead out of it, and counts as not there."""
    return path.is_file() and not path.is_symlink()


def recorded_options(options: PoseOptions) -> PoseOptions:
    """What of a stream's options decides what is recorded: neither weaker peaks nor pictures of maps do."""
    return dataclasses.replace(options, floor=options.threshold, layer=None)
