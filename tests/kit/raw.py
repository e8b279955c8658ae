"""HTTP byte by byte over a bare socket, for what no client library would send."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Answer:
    """An answer as it came; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        """The sentence of a JSON error."""
        said: dict[str, str] = json.loads(self.body)
        assert set(said) == {"error"} and said["error"]
        return said["error"]


def connect(address: str) -> socket.socket:
    """A connection to a server."""
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def send(address: str, request: bytes) -> Answer:
    """Send bytes as they are; the answer to the first request in them."""
    with connect(address) as connection:
        connection.sendall(request)
        return answer_on(connection)


def get(
    address: str, path: bytes | str, *headers: str, method: str = "GET", host: str | None = "localhost"
) -> Answer:
    """Ask for a path, written as it is."""
    path = path if isinstance(path, bytes) else path.encode()
    given = [*([] if host is None else [f"Host: {host}"]), *headers, "Connection: close"]
    lines = b"".join(line.encode("latin-1") + b"\r\n" for line in given)
    return send(address, method.encode() + b" " + path + b" HTTP/1.1\r\n" + lines + b"\r\n")


def answer_on(connection: socket.socket) -> Answer:
    """Read an answer, to its end."""
    response = HTTPResponse(connection)
    response.begin()
    headers: Any = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())
