"""A stream's client for measuring: reads from the socket as fast as it can, and looks at little."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

MESSAGE = b'data: {"frame_idx":'
IMAGE = b'"img":"data:image'


@dataclass(frozen=True)
class Measured:
    """What one stream took: frames, s from the request to its end and to its first frame."""

    frames: int
    seconds: float
    first_after: float

    @property
    def rate(self) -> float:
        """Frames per second from the request to the end."""
        return self.frames / self.seconds


def read_stream(
    address: str, query: Mapping[str, object], at: Mapping[int, Callable[[], object]] | None = None
) -> Measured:
    """Read a stream to its end, calling `at[n]` once n frames were read; RuntimeError if it fails."""
    due = dict(sorted((at or {}).items()))
    url = urlsplit(address)
    with socket.create_connection((url.hostname, url.port), timeout=120) as connection:
        began = time.perf_counter()
        path = f"/generate_predictions?{urlencode(query, doseq=True)}"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n".encode())
        frames, first_after, kept, text = 0, float("nan"), b"", b""
        while chunk := connection.recv(1 << 20):
            text = kept + chunk
            found = text.count(IMAGE)
            if found and not frames:
                first_after = time.perf_counter() - began
            frames += found
            while due and frames >= next(iter(due)):
                due.pop(next(iter(due)))()
            kept = text[-len(IMAGE) + 1 :] if not text.endswith(IMAGE) else b""
            if b"event: failure" in text:
                raise RuntimeError(text[text.index(b"event: failure") :][:500].decode(errors="replace"))
        if not frames:
            raise RuntimeError(f"no frame came: {text[:500].decode(errors='replace')}")
        return Measured(frames, time.perf_counter() - began, first_after)


def health(address: str) -> dict[str, object]:
    """What /healthz says."""
    url = urlsplit(address)
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(f"GET /healthz HTTP/1.0\r\nHost: {url.netloc}\r\n\r\n".encode())
        text = b"".join(iter(lambda: connection.recv(65536), b""))
    answer: dict[str, object] = json.loads(re.split(rb"\r\n\r\n", text, maxsplit=1)[1])
    return answer
