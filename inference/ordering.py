"""Results come in any order, some twice; a viewer gets each item once, in order. Pure."""

from __future__ import annotations

from typing import Generic, TypeVar

Item = TypeVar("Item")


class Ordering(Generic[Item]):
    """Puts the items `start`, `start` + 1, ... back into order and drops duplicates; `end` - 1 is the last
    one.

    Memory is bounded by whoever sends, since nothing beyond the run's window is ever in flight; or by
    `patience`: once so many frames came before one, it is not waited for any longer and dropped if it comes.
    """

    def __init__(self, start: int, patience: int | None = None, end: int | None = None) -> None:
        self.next = start
        self._patience = patience
        self.end = end
        self._early: dict[int, Item] = {}

    def push(self, index: int, item: Item) -> list[Item]:
        """Take one item; give all that can now be delivered, in order (none for a duplicate)."""
        if index < self.next or index in self._early:
            return []
        self._early[index] = item
        if self._patience is not None and len(self._early) > self._patience:
            self.next = min(self._early)
        ready = []
        while self.next in self._early:
            ready.append(self._early.pop(self.next))
            self.next += 1
        return ready

    def drop_early(self) -> None:
        """Forget what waits for others before it."""
        self._early.clear()

    def finish(self, end: int) -> None:
        """Say that `end` - 1 is the last item."""
        self.end = end

    @property
    def complete(self) -> bool:
        """Whether every item up to the end was delivered."""
        return self.end is not None and self.next >= self.end
