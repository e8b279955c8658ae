"""A child process and the pipe to it. Spawned, never forked: TensorFlow does not survive a fork.

A child ends by itself when its parent is gone, since its end of the pipe then reads the end of file.
What it does is named by a dotted path, so that the parent need not import what only the child needs.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import multiprocessing
import os
import select
import signal
import socket
import struct
import sys
import time
import types
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from inference.channels import Pipe
from inference.errors import WireError
from inference.messages import Ping, Pong

log = logging.getLogger(__name__)
_spawn = multiprocessing.get_context("spawn")

TELL_PATIENCE = 5.0
"""Seconds that an order may wait for room in the pipe, which holds hundreds: whoever sends it waits too."""
RETRY = 1.0
"""Seconds before a process that the system does not give, or its port, is asked for again."""
LONGEST_PAUSE = 5.0
"""Seconds between the starts of children that die one after the other."""
START_PATIENCE = 300.0
"""Seconds that a child may take before it says anything: its libraries may lie on a slow disk."""


class Child:
    """A running child process; it calls the function `main` ("module:name") with (connection, *arguments)."""

    def __init__(self, name: str, main: str, *arguments: Any) -> None:
        ours, theirs = _spawn.Pipe()
        _limit_writes(ours)
        self.pipe = Pipe(ours)
        self.name = name
        self._heard = time.monotonic()
        self._spoke = False
        self._asked_at: float | None = None
        self._killed_for = ""
        self._process = _spawn.Process(target=_enter, args=(main, theirs, *arguments), name=name, daemon=True)
        with _ctrl_c_blocked(), _main_left_out():
            self._process.start()
        theirs.close()

    @property
    def sentinel(self) -> int:
        """Becomes ready, for `multiprocessing.connection.wait`, when the process has ended."""
        return self._process.sentinel

    @property
    def pid(self) -> int | None:
        """The operating system's number of the process."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.is_alive()

    def tell(self, message: Any) -> None:
        """Send the child a message; nothing happens if it is dead, which its sentinel tells.

        One that takes no messages is killed, since whoever tells it something would wait for ever.
        """
        with contextlib.suppress(OSError, ValueError):
            with contextlib.suppress(BlockingIOError):
                if _has_room(self.pipe.connection):
                    self.pipe.send(message)
                    return
            if self.alive():
                self.kill(f"it took no orders for {TELL_PATIENCE:g} s")

    def news(self) -> Iterator[Any]:
        """All that the child has said so far, also if it is dead by now."""
        try:
            while self.pipe.poll():
                try:
                    said = self.pipe.receive()
                except WireError as error:
                    log.warning("%s said something malformed: %s", self.name, error)
                    continue
                self._heard, self._spoke, self._asked_at = time.monotonic(), True, None
                if not isinstance(said, Pong):
                    yield said
        except (EOFError, OSError):
            return

    def check(self, patience: float) -> None:
        """Kill the child if it has been silent for `patience` s though it was asked to say something.

        To be called now and then, behind `news`. A process that was stopped is found so, or one that cannot
        run any other thread. Time counts from the question: while this process slept, nobody was asked.
        """
        limit, now = patience if self._spoke else max(patience, START_PATIENCE), time.monotonic()
        if self._asked_at is not None:
            if now - self._asked_at > limit / 2:
                self.kill(f"it was silent for {now - self._heard:.0f} s")
        elif now - self._heard > limit / 2:
            self._asked_at = now
            self.tell(Ping())

    def kill(self, why: str) -> None:
        """End the process at once, even a stopped one; `epitaph` will say why."""
        if not self._killed_for:
            log.warning("%s is killed: %s", self.name, why)
            self._killed_for = why
        self._process.kill()

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended the process: then it may have been bad luck, not its own doing."""
        return (self._process.exitcode or 0) < 0

    def epitaph(self) -> str:
        """How the process ended, in words."""
        self._process.join(1)
        if self._killed_for:
            return f"ended because {self._killed_for}"
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"exit status {code}"
        name = signal.Signals(-code).name if -code in signal.Signals.__members__.values() else str(-code)
        hint = ", as when memory runs out" if -code == 9 else ""
        return f"signal {name}{hint}"

    def end(self, patience: float) -> None:
        """Wait `patience` s for the process to end by itself, then make it end."""
        self._process.join(patience)
        if self._process.is_alive():
            log.info("%s does not end by itself and is killed", self.name)
            self._process.kill()
            self._process.join(1)
        self.pipe.close()


def pause_after(deaths: int) -> float:
    """Seconds to wait before the next start, after so many deaths in a row."""
    return min(LONGEST_PAUSE, 0.1 * 2.0 ** min(deaths, 10))


def _limit_writes(connection: Connection) -> None:
    """Have a message that is larger than the room for it raise BlockingIOError after `TELL_PATIENCE` s."""
    seconds, rest = divmod(TELL_PATIENCE, 1)
    with socket.socket(fileno=os.dup(connection.fileno())) as end:
        limit = struct.pack("ll", int(seconds), int(rest * 1e6))
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _has_room(connection: Connection) -> bool:
    """Whether a small message can be written now, or within `TELL_PATIENCE` s."""
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    return bool(poll.poll(TELL_PATIENCE * 1000))


def _enter(main: str, connection: Connection, *arguments: Any) -> None:
    # Sent to the whole group by some; the parent decides, and a child ends with the pipe to it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    module, _, name = main.partition(":")
    getattr(importlib.import_module(module), name)(connection, *arguments)


@contextlib.contextmanager
def _main_left_out() -> Iterator[None]:
    """A spawned process imports its parent's main module: half a second for nothing that it needs."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """Children inherit it: Ctrl-C reaches the whole group, but only the parent is to act on it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Started with the first child, and unblocks the signal while it starts: so it goes first.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
