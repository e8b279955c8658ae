"""The program as its users start it: `python app.py`, as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import httpx
import psutil

from inference.settings import HERE
from tests.kit.waiting import wait_until


class Program:
    """A running `python app.py`, which is ended with the test."""

    def __init__(
        self, *arguments: str, module: str | None = None, environment: dict[str, str] | None = None
    ) -> None:
        """With these flags; `module` names a variant of the program, such as `tests.kit.kit_app`."""
        began = time.monotonic()
        self._runs = tempfile.TemporaryDirectory()
        if "--runs" not in arguments:
            arguments = (*arguments, "--runs", self._runs.name)
        self.process = subprocess.Popen(
            [sys.executable, *(["-m", module] if module else [str(HERE / "app.py")]), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=HERE if module else "/",
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.greeting = self.process.stdout.readline()
        self.address = next(iter(re.findall(r"http://\S+/", self.greeting)), None)
        if self.address is not None:
            # 401: it asks for a token
            assert httpx.get(self.address, timeout=10).status_code in (200, 401)
        self.answered_after = time.monotonic() - began

    def family(self) -> list[psutil.Process]:
        """The process and all below it."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def wait_until_ready(self) -> None:
        """Wait until all workers take work."""
        wait_until(lambda: httpx.get(f"{self.address}healthz").status_code == 200, 60)

    def kill(self) -> None:
        """End it, whatever it does, and all it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        self._runs.cleanup()
