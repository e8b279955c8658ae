"""The processes that are measured, each started once and used in every round."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.client import health
from inference.settings import HERE


def _users_environment() -> dict[str, str]:
    """Without what importing `inference` has set here for the processes that the app starts itself."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}


class EngineProcess:
    """An engine alone; `rate` makes it measure once."""

    def __init__(self, way: str, models: Sequence[Path], video: Path, frames: int, threads: int) -> None:
        arguments = [way, str(video), str(frames), str(threads), *map(str, models)]
        command = [sys.executable, "-m", "benchmarks.engines", *arguments]
        self._way = way
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=HERE,
        )
        self._line()

    def begin(self) -> None:
        """Begin a measurement."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)

    def result(self) -> float:
        """Frames per second of the measurement that was begun."""
        return float(self._line())

    def rate(self) -> float:
        """Frames per second of one measurement."""
        self.begin()
        return self.result()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"the measurement {self._way!r} ended early")
        return line

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


class AppProcess:
    """The app as users start it (or, with `module`, a variant of it), on these folders."""

    def __init__(
        self,
        data: Path,
        models: Path,
        servers: int,
        *more: str,
        module: str | None = None,
        environment: Mapping[str, object] | None = None,
    ) -> None:
        program = ["-m", module] if module else [str(HERE / "app.py")]
        flags = ["--data", str(data), "--models", str(models), "--port", "0", "-n_servers", str(servers)]
        self._runs = tempfile.TemporaryDirectory()
        flags += ["--runs", self._runs.name, *more]
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, *program, *flags],
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE,
            env={**_users_environment(), **{name: str(value) for name, value in (environment or {}).items()}},
        )
        assert self._process.stdout is not None
        self.address = re.findall(r"http://\S+/", self._process.stdout.readline())[0]
        health(self.address)
        self.answers_after = time.perf_counter() - began
        while health(self.address)["status"] != "ready":
            time.sleep(0.02)
        self.ready_after = time.perf_counter() - began

    def memory(self) -> int:
        """Bytes that all of its processes hold, what they share counted once."""
        return sum(process.memory_full_info().pss for process in self.family())

    def spent(self) -> Counter[str]:
        """Processor time so far, in ms, of the web process, the producer and all workers together."""
        web, *children = self.family()
        spawned = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        producer, *workers = sorted(spawned, key=lambda child: child.create_time())
        spent: Counter[str] = Counter()
        for name, process in [("web", web), ("producer", producer), *(("workers", one) for one in workers)]:
            times = process.cpu_times()
            spent[name] += round((times.user + times.system) * 1000)
        return spent

    def family(self) -> list[psutil.Process]:
        """The process and all below it."""
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]

    def close(self) -> None:
        """End it as a user would."""
        self._process.terminate()
        self._process.communicate(timeout=10)
        self._runs.cleanup()
