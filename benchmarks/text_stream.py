"""`python -m benchmarks.text_stream [MODEL]`: a text from the request to the last byte.

The app as users start it, and clients in this process that read bytes and look at nothing: one prompt of
1,024 characters, and eight at once, without and with a random state of their own (which share no matrix
products). Medians. Not part of `make bench`.
"""

from __future__ import annotations

import http.client
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

from benchmarks.processes import AppProcess
from benchmarks.text import SHARED
from inference.settings import HERE, default_servers

SEED = "The meaning of life is "
ROUNDS = 5
CASES = (("one prompt", 1, 1024, True), ("eight prompts", 8, 4096, False), ("eight, exact", 8, 4096, True))


@dataclass
class Read:
    """One text: seconds from the request to its first character, and to its last byte."""

    first: float
    whole: float


def read(port: int, model: str, length: int, random_state: int | None) -> Read:
    """Ask for a text and read it to its end."""
    query: dict[str, str | int] = {"model_name": model, "seed": SEED, "length": length}
    if random_state is not None:
        query["random_state"] = random_state
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began, first, tail = time.perf_counter(), 0.0, b""
    connection.request("GET", f"/generate_text?{urllib.parse.urlencode(query)}")
    answer = connection.getresponse()
    while part := answer.read1(1 << 18):
        if not first and b"id: 0\n" in part:
            first = time.perf_counter() - began
        tail = (tail + part)[-200:]
    assert f'"characters":{length}'.encode() in tail, tail
    return Read(first, time.perf_counter() - began)


def measure(port: int, model: str, texts: int, length: int, exact: bool) -> tuple[float, list[Read]]:
    """Characters/s of all texts together, and each of them."""
    found: list[Read] = []

    def one(number: int) -> None:
        found.append(read(port, model, length, number if exact else None))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(texts)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return texts * length / (time.perf_counter() - began), found


def main() -> None:
    """Print a line for each case."""
    model = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED
    with tempfile.TemporaryDirectory() as folder:
        copyfile(model, Path(folder) / model.name)
        beside = model.with_suffix(".json")
        if beside.is_file():
            copyfile(beside, Path(folder) / beside.name)
        with closing(AppProcess(HERE / "data", Path(folder), default_servers())) as app:
            port = int(urllib.parse.urlsplit(app.address).port or 0)
            read(port, model.name, 64, 0)
            for name, texts, length, exact in CASES:
                rounds = [measure(port, model.name, texts, length, exact) for _ in range(ROUNDS)]
                rate = statistics.median(rate for rate, _ in rounds)
                firsts = sorted(1000 * one.first for _, found in rounds for one in found)
                whole = statistics.median(one.whole for _, found in rounds for one in found)
                first = f"first character {statistics.median(firsts):.0f} ms (at most {firsts[-1]:.0f})"
                print(f"{name:<16}{rate:>8,.0f} characters/s; {first}, {length:,} characters {whole:.3f} s")


if __name__ == "__main__":
    main()
