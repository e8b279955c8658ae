"""What is listed of recorded runs, and remembered of each: none is read twice while it stays as it is."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import stat_result
from pathlib import Path

from inference import journal
from inference.errors import JournalError
from inference.journal_index import Index

log = logging.getLogger(__name__)

AtHand = Callable[[str], tuple[Index | None, bool]]
"""What is known of a run without reading it, if anything, and whether it is being written."""


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


class Listing:
    """The runs of a folder, as they were when somebody asked last; safe to be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[tuple[int, int], Summary]] = {}

    def of(self, files: Mapping[Path, stat_result], at_hand: AtHand) -> list[Summary]:
        """Every journal of these `files`, the newest first; those that are none are left out.

        Who asks meanwhile waits, and reads none of them again.
        """
        with self._lock:
            known = {}
            for path, status in files.items():
                version = (status.st_mtime_ns, status.st_size)
                summary = self._summary(path, version, *at_hand(path.stem))
                if summary is not None:
                    known[path] = (version, summary)
            self._known = known
        return sorted((one for _, one in known.values()), key=lambda one: one.created, reverse=True)

    def _summary(
        self, path: Path, version: tuple[int, int], index: Index | None, active: bool
    ) -> Summary | None:
        before, known = self._known.get(path, (None, None))
        if index is None and known is not None and before == version:
            return dataclasses.replace(known, active=active)
        try:
            return _summary(index or journal.read_index(path), version[1], active)
        except JournalError as error:
            log.info("%s", error)
            return None


def _summary(index: Index, size: int, active: bool) -> Summary:
    facts = index.facts
    return Summary(
        facts.run,
        Path(facts.video).name,
        " + ".join(Path(model).name for model in facts.models),
        facts.created,
        len(index.frames),
        len(index.failures),
        index.first,
        index.last,
        size,
        active,
    )
