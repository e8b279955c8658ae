"""The producer process: started, told, watched, and started again when it dies.

Not thread-safe by itself: its owner, the pipeline, calls it under its lock. It knows nothing of runs; what
it learns, it tells its `Listener`. A new producer is where the old one was, with its key: the workers find it
by themselves. The port is held here, from the first to the last of them, so that nobody else is found there.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from multiprocessing import connection
from typing import Any, Protocol

from inference.channels import listen, new_keys
from inference.child import RETRY, Child, pause_after
from inference.errors import PipelineError
from inference.messages import Bound, Dropped, Endpoint, Quit
from inference.settings import Settings

log = logging.getLogger(__name__)

STARTS = 5
"""So many times in a row the producer may die before it is bound; then it is the machine."""
SHORT_LIFE = 5.0
"""A producer that dies within so many s is followed by the next one only after a pause."""
_START_PATIENCE = 30.0


class Listener(Protocol):
    """Who is told what the producer says, and what becomes of it."""

    def dropped(self, messages: int, peers: int) -> None:
        """The producer refused so many peers."""

    def producer_said(self, news: Any) -> None:
        """The producer has news of a run."""

    def producer_died(self, how: str) -> None:
        """The producer is dead; all that it had is lost."""

    def producer_is_back(self) -> None:
        """There is a new one, which has no runs."""

    def production_failed(self, reason: str) -> None:
        """No producer can be started any more."""


class Production:
    """One producer process after the other; at most one at a time."""

    def __init__(self, settings: Settings, first_batch: Callable[[], int], listener: Listener) -> None:
        """`first_batch` gives a number that no batch has had."""
        self.restarts = 0
        self._settings = settings
        self._first_batch = first_batch
        self._listener = listener
        self._keys = new_keys()
        self._port: socket.socket | None = None
        self._child: Child | None = None
        self._bound = False
        self._early_deaths = self._short_lives = 0
        self._began = 0.0
        self._start_again_at = float("inf")
        self._ending = False

    def start(self) -> Endpoint:
        """Start the first producer and wait until it is bound; PortInUse, PipelineError."""
        self._port = listen(self._settings.producer_send_port)
        child = self._spawn()
        deadline = time.monotonic() + _START_PATIENCE
        while time.monotonic() < deadline:
            connection.wait([child.pipe.connection, child.sentinel], timeout=_START_PATIENCE)
            alive = child.alive()
            for news in child.news():
                if isinstance(news, Bound):
                    self._bound = True
                    return news.work
            if not alive:
                break
        raise PipelineError("The frame producer does not start; the log says more.")

    def _spawn(self) -> Child:
        main = "inference.children:producer_main"
        self._child = Child("producer", main, self._settings, self._port, self._keys, self._first_batch())
        self._began = time.monotonic()
        return self._child

    @property
    def children(self) -> list[Child]:
        """The process, to wait for news of; none while one is to be started again."""
        return [] if self._child is None else [self._child]

    @property
    def bound(self) -> bool:
        """Whether there is a producer that takes orders."""
        return self._bound

    def tell(self, order: Any) -> None:
        """Tell the producer something; a new one is told all anew."""
        if self._child is not None:
            self._child.tell(order)

    def watch(self) -> None:
        """Act on all news of the producer, and start it again when that is due."""
        if self._child is not None:
            self._look_at(self._child)
        elif time.monotonic() >= self._start_again_at and not self._ending:
            self._start_again_at = time.monotonic() + RETRY
            try:
                self._spawn()
            except OSError as error:
                log.error("the producer cannot be started: %s", error)

    def _look_at(self, child: Child) -> None:
        dead = not child.alive()
        for news in child.news():
            self._hear(news)
        if dead:
            self._bury(child)
        else:
            child.check(2 * self._settings.time_limit)

    def _hear(self, news: Any) -> None:
        match news:
            case Bound():
                self._bound, self._early_deaths = True, 0
                self._listener.producer_is_back()
            case Dropped(messages, peers):
                self._listener.dropped(messages, peers)
            case _:
                self._listener.producer_said(news)

    def _bury(self, child: Child) -> None:
        how, was_bound = child.epitaph(), self._bound
        child.end(0)
        self._child, self._bound = None, False
        log.error("the producer died (%s)", how)
        if was_bound:
            self._listener.producer_died(how)
        else:
            self._early_deaths += 1
        if self._early_deaths >= STARTS:
            reason = f"The frame producer cannot be started again ({how}); start the program again."
            log.critical(reason)
            self._listener.production_failed(reason)
            return
        self.restarts += was_bound
        self._start_again_at = time.monotonic() + self._pause()

    def _pause(self) -> float:
        """Seconds until the next start: none, unless one after the other dies soon."""
        self._short_lives = self._short_lives + 1 if time.monotonic() - self._began < SHORT_LIFE else 0
        return pause_after(self._short_lives) if self._short_lives > 2 else 0.0

    def ask_to_end(self) -> None:
        """Tell the producer to quit; `end` then waits for it."""
        self._ending = True
        self.tell(Quit())

    def end(self, patience: float) -> None:
        """Have the producer ended, within about `patience` s, and leave its port to others."""
        if self._child is not None:
            self._child.end(patience)
        if self._port is not None:
            self._port.close()
