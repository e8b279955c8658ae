"""In which order runs are opened again after the producer died, and whose fault that was. Pure.

A video that crashes its decoder takes the producer with it, and every run that it had open. So runs are
opened again one after the other: the next one only once the last one has shown that it works. If the producer
dies again before that, the run that was being opened is to blame, and none of the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

TRIES = 3
"""A run that was being opened at so many deaths of the producer is given up."""
PATIENCE = 10.0
"""A run that shows nothing for so long (s) after it was opened again holds up the others no longer."""


class Reopening:
    """The runs that wait to be opened again, and the one that is on trial."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._tried: str | None = None
        self._since = 0.0
        self._blame: dict[str, int] = {}

    def died(self, runs: Iterable[str]) -> str | None:
        """The producer is dead: these runs have to be opened again. Gives one of them that is given up."""
        suspect, self._tried = self._tried, None
        self._waiting = deque(run for run in runs if run != suspect)
        if suspect is None:
            return None
        self._blame[suspect] = self._blame.get(suspect, 0) + 1
        if self._blame[suspect] >= TRIES:
            return suspect
        self._waiting.append(suspect)
        return None

    @property
    def busy(self) -> bool:
        """Whether runs wait, or one is on trial."""
        return bool(self._waiting) or self._tried is not None

    def add(self, run: str) -> None:
        """A run has begun while there is no producer, or others wait for theirs."""
        self._waiting.append(run)

    def next(self, now: float) -> str | None:
        """The run to be opened at the time `now` (s), which then is on trial; None: none, or not yet."""
        if self._tried is not None and now - self._since < PATIENCE:
            return None
        self._tried = self._waiting.popleft() if self._waiting else None
        self._since = now
        return self._tried

    def works(self, run: str) -> None:
        """A run has got a frame, or needs none for the moment."""
        if run == self._tried:
            self._tried = None
            self._blame.pop(run, None)

    def forget(self, run: str) -> None:
        """A run is over."""
        self.works(run)
        self._blame.pop(run, None)
        if run in self._waiting:
            self._waiting.remove(run)
