"""The folder of recorded runs: one journal each, listed, deleted, and kept within a size.

The oldest runs that nobody is watching go first. Several streams of one run share its journal.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from inference import journal
from inference.errors import Conflict, JournalError, NotFound
from inference.journal import SUFFIX, Journal, Recording
from inference.messages import PoseOptions, RunFacts
from inference.query import RUN_ID

log = logging.getLogger(__name__)

IDLE = 4
"""Journals that stay open though nobody writes them."""
_LOOK_EVERY = 1 << 20
"""A journal that grew by so many bytes is weighed against the limit again."""


@dataclass(frozen=True)
class Summary:
    """A recorded run, as it is listed. `created` in s since 1970; `first` and `last` frame, or None."""

    run_id: str
    video_name: str
    model_name: str
    created: float
    frames: int
    failed: int
    first: int | None
    last: int | None
    bytes: int
    active: bool


class Recordings:
    """The folder; safe to be used by several threads."""

    def __init__(self, folder: Path, limit: int) -> None:
        """`limit` is in bytes, for all journals together; the folder is made when it is first needed."""
        self.folder = folder
        self._limit = limit
        self._lock = threading.RLock()
        self._open: dict[str, tuple[Journal, int]] = {}
        self._idle: dict[str, Journal] = {}
        self._weighed: dict[str, int] = {}
        self._known: dict[str, tuple[tuple[int, int], Summary]] = {}

    # Writing ---------------------------------------------------------------------------------------

    def check(self, facts: RunFacts) -> None:
        """Raise a JournalError if a run of that name was recorded of something else (its tracking aside)."""
        if self._path(facts.run).is_symlink():
            raise JournalError("There is a link of that name in the folder of runs: take another run_id.")
        with self._lock:
            at_hand = self._open.get(facts.run, (None, 0))[0] or self._idle.get(facts.run)
        held = at_hand.facts if at_hand else journal.facts_of(self._path(facts.run))
        if held is not None:
            journal.refuse_other(held, dataclasses.replace(facts, tracking=held.tracking))

    def open(self, facts: RunFacts) -> Journal:
        """The run's journal, begun or continued; JournalError if it is of something else; OSError."""
        with self._lock:
            held, users = self._open.get(facts.run, (None, 0))
            held = held or self._idle.pop(facts.run, None)
            if held is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._make_room()
                held = Journal(self._path(facts.run), facts)
            else:
                self._refuse_other(held, facts, users)
            self._open[facts.run] = (held, users + 1)
            return held

    def _refuse_other(self, held: Journal, facts: RunFacts, users: int) -> None:
        try:
            journal.refuse_other(held.facts, facts)
        except JournalError:
            if users == 0:
                held.close()
            raise

    def close(self, held: Journal) -> None:
        """Say that one stream less writes this journal."""
        with self._lock:
            run = held.facts.run
            users = self._open[run][1] - 1
            self._open[run] = (held, users)
            if users:
                return
            del self._open[run]
            self._weighed.pop(run, None)
            # kept at hand: a viewer who seeks leaves and comes back at once, and reading it again takes long
            self._idle[run] = held
            if len(self._idle) > IDLE or held.broken:
                self._put_away(next(iter(self._idle)) if not held.broken else run)

    def _put_away(self, run: str) -> None:
        idle = self._idle.pop(run, None)
        if idle is not None:
            idle.close()

    def has_room(self, held: Journal) -> bool:
        """Whether a journal may grow on: old ones are deleted for it, but not those being written."""
        run = held.facts.run
        if held.size - self._weighed.get(run, 0) < _LOOK_EVERY:
            return True
        with self._lock:
            self._weighed[run] = held.size
            return self._make_room()

    def _make_room(self) -> bool:
        """Delete the oldest runs until the rest fits; False if even then it does not."""
        files = sorted(self._files(), key=lambda path: path.stat().st_mtime)
        total = sum(path.stat().st_size for path in files)
        for path in files:
            if total <= self._limit:
                break
            if path.stem not in self._open:
                log.warning("the recording %s is deleted to stay within the size limit", path.stem)
                self._put_away(path.stem)
                total -= path.stat().st_size
                path.unlink()
        return total <= self._limit

    # Reading ---------------------------------------------------------------------------------------

    def summaries(self) -> list[Summary]:
        """Every recorded run, the newest first."""
        with self._lock:
            found = [summary for path in self._files() if (summary := self._summary(path))]
        return sorted(found, key=lambda one: one.created, reverse=True)

    def path(self, run: str) -> Path:
        """A run's journal; NotFound if none has that name."""
        if not RUN_ID.fullmatch(run) or not _is_own(self._path(run)):
            raise NotFound("There is no recorded run of that name.")
        return self._path(run)

    def delete(self, run: str) -> None:
        """Delete a run's journal; NotFound, or Conflict while it is being written."""
        with self._lock:
            path = self.path(run)
            if run in self._open:
                raise Conflict("This run is still going on: stop it first, then delete its recording.")
            self._put_away(run)
            path.unlink()

    def _path(self, run: str) -> Path:
        return self.folder / f"{run}{SUFFIX}"

    def _files(self) -> list[Path]:
        return [
            path for path in self.folder.glob(f"*{SUFFIX}") if RUN_ID.fullmatch(path.stem) and _is_own(path)
        ]

    def _summary(self, path: Path) -> Summary | None:
        status = path.stat()
        version = (status.st_mtime_ns, status.st_size)
        active = path.stem in self._open
        known = self._known.get(path.stem)
        if known is None or known[0] != version:
            held = self._open[path.stem][0] if active else self._idle.get(path.stem)
            try:
                known = version, _summary(held or journal.read(path), status.st_size)
            except JournalError as error:
                log.info("%s", error)
                return None
            self._known[path.stem] = known
        return dataclasses.replace(known[1], active=active)


def _summary(recording: Recording | Journal, size: int) -> Summary:
    facts = recording.facts
    seen = [*recording.frames, *recording.failures]
    return Summary(
        facts.run,
        Path(facts.video).name,
        " + ".join(Path(model).name for model in facts.models),
        facts.created,
        len(recording.frames),
        len(recording.failures),
        min(seen, default=None),
        max(seen, default=None),
        size,
        active=False,
    )


def _is_own(path: Path) -> bool:
    """Whether a journal is a file of the folder; a link may lead out of it, and counts as not there."""
    return path.is_file() and not path.is_symlink()


def recorded_options(options: PoseOptions) -> PoseOptions:
    """What of a stream's options decides what is recorded: neither weaker peaks nor pictures of maps do."""
    return dataclasses.replace(options, floor=options.threshold, layer=None)
