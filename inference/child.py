"""A child process and the pipe to it. Spawned, never forked: TensorFlow does not survive a fork.

A child ends by itself when its parent is gone, since its end of the pipe then reads the end of file.
What it does is named by a dotted path, so that the parent need not import what only the child needs.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import multiprocessing
import signal
import sys
import types
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from inference.channels import Pipe
from inference.errors import WireError

log = logging.getLogger(__name__)
_spawn = multiprocessing.get_context("spawn")


class Child:
    """A running child process; it calls the function `main` ("module:name") with (connection, *arguments)."""

    def __init__(self, name: str, main: str, *arguments: Any) -> None:
        ours, theirs = _spawn.Pipe()
        self.pipe = Pipe(ours)
        self.name = name
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
        """Send the child a message; nothing happens if it is dead, which its sentinel tells."""
        with contextlib.suppress(OSError, ValueError):
            self.pipe.send(message)

    def news(self) -> Iterator[Any]:
        """All that the child has said so far, also if it is dead by now."""
        try:
            while self.pipe.poll():
                try:
                    yield self.pipe.receive()
                except WireError as error:
                    log.warning("%s said something malformed: %s", self.name, error)
        except (EOFError, OSError):
            return

    def epitaph(self) -> str:
        """How the process ended, in words."""
        self._process.join(1)
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
