"""Results come in any order, some twice; a viewer gets each frame once, in order. Pure."""

from __future__ import annotations

from typing import Generic, TypeVar

Item = TypeVar("Item")


class Ordering(Generic[Item]):
    """Puts the frames `start`, `start` + 1, ... back into order and drops duplicates.

    Memory is bounded by whoever sends: nothing beyond the run's window is ever in flight.
    """

    def __init__(self, start: int) -> None:
        self.next = start
        self.end: int | None = None
        self._early: dict[int, Item] = {}

    def push(self, index: int, item: Item) -> list[Item]:
        """Take one frame's item; give all that can now be delivered, in order (none for a duplicate)."""
        if index < self.next or index in self._early:
            return []
        self._early[index] = item
        ready = []
        while self.next in self._early:
            ready.append(self._early.pop(self.next))
            self.next += 1
        return ready

    def finish(self, end: int) -> None:
        """Say that `end` - 1 is the last frame."""
        self.end = end

    @property
    def complete(self) -> bool:
        """Whether every frame up to the end was delivered."""
        return self.end is not None and self.next >= self.end
