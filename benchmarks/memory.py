"""What the app holds while it streams 20,000 frames to one viewer, and another viewer has stopped reading.

Memory of all processes, what they share counted once, and the bytes of files that they have open without a
name or in the folder for temporary files: what a server may hide a stalled viewer's stream in. The recorded
runs are not counted: they are what is wanted on the disk, and have a limit of their own.
"""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks import rounds
from benchmarks.client import read_stream
from benchmarks.processes import AppProcess
from inference.settings import available_cores
from tests.kit import barcode

FRAMES = 20_000
LOOKS = (1_000, 5_000, 10_000, 15_000, FRAMES)


def measure(folder: Path) -> dict[str, Any]:
    """Bytes at some frames, and how much they grew from the first to the most."""
    rounds.progress("memory: writing a video")
    video = barcode.write(folder / "memory.mp4", FRAMES + 10, width=384, height=384)
    (folder / "m.nothing").touch()
    temporary = folder / "temporary"
    temporary.mkdir()
    query = {"video_name": video.name, "model_name": "m.nothing"}
    app = AppProcess(
        folder, folder, available_cores(), module="benchmarks.nothing_app", environment={"TMPDIR": temporary}
    )
    held: dict[int, dict[str, int]] = {}
    try:
        with _stalled(app.address, query):
            rounds.progress("memory: streaming")
            look = {
                at: lambda at=at: held.update({at: {"memory": app.memory(), "files": _files(app, temporary)}})
                for at in LOOKS
            }
            read_stream(app.address, {**query, "stop": FRAMES + 5}, look)
    finally:
        app.close()
    rounds.progress("")
    totals = {at: sum(parts.values()) for at, parts in held.items()}
    growth = max(totals.values()) / totals[LOOKS[0]] - 1
    print(f"\n{'frame':>8s} {'memory, MB':>12s} {'temporary files, MB':>20s}")
    for at, parts in held.items():
        print(f"{at:8,d} {parts['memory'] / 1e6:12.1f} {parts['files'] / 1e6:20.2f}")
    rounds.show_target("growth of both together", 100 * growth, "5 at most", "%")
    return {"bytes": held, "growth": growth}


def _stalled(address: str, query: dict[str, str]) -> socket.socket:
    """A viewer that asks for the stream and never reads."""
    url = urlsplit(address)
    viewer = socket.create_connection((url.hostname, url.port), timeout=30)
    viewer.sendall(
        f"GET /generate_predictions?{urlencode(query)} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode()
    )
    return viewer


def _files(app: AppProcess, temporary: Path) -> int:
    """Bytes of unnamed files that its processes have open, and of all that lies in the temporary folder."""
    found: dict[tuple[int, int], int] = {}
    for process in app.family():
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                state = link.stat()
            except OSError:
                continue
            if stat.S_ISREG(state.st_mode) and state.st_nlink == 0:
                found[state.st_dev, state.st_ino] = state.st_size
    for path in temporary.rglob("*"):
        if path.is_file():
            found[path.stat().st_dev, path.stat().st_ino] = path.stat().st_size
    return sum(found.values())
