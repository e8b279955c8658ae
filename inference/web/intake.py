"""What waitress takes in before the app is asked: bodies within their limit, and errors in the app's words.

Waitress keeps a whole body, in memory or a file, before it calls the app. So where the headers, or the
chunks so far, show that a body is too large, it is not read: the app is asked without it, and refuses.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.receiver import ChunkedReceiver
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest

from inference.admission import Asked
from inference.web.guard import SMALL, Guard

_SAID = {
    400: "The request is not valid HTTP.",
    431: "The request's first line and headers are too long together.",
    501: "The body is sent in a way that is not known here: send it as it is, or in chunks.",
}
LONGEST_LINE = 1024
"""Bytes of a line that says how long a chunk is."""
_UNEXPECTED = "Something went wrong in the server; its log says what."


class _Parser(HTTPRequestParser):  # type: ignore[misc] # waitress has no types
    """Reads a request, but no body that is larger than it may be."""

    def __init__(self, adjustments: Any, largest: Callable[[Asked], int]) -> None:
        super().__init__(adjustments)
        self._largest = largest
        self._limit: int | None = None

    def received(self, data: bytes) -> int:
        try:
            consumed: int = super().received(data)
        except ValueError:
            # an address or a number that Python itself refuses, which waitress does not look for
            return self._refuse("The request is not valid HTTP.", data)
        if _is_endless(self.body_rcv):
            return self._refuse("The body's chunks are not valid HTTP.", data)
        if self.error is None and self.body_rcv is not None and self._is_too_large():
            self.completed = True
            self.headers["CONNECTION"] = "close"
            self.headers["CONTENT_LENGTH"] = str(max(self.content_length, self.body_bytes_received))
        if self.completed:
            # Or waitress would still ask for the body that is not wanted, and read it.
            self.expect_continue = False
        return consumed

    def _refuse(self, why: str, data: bytes) -> int:
        self.error, self.completed, self.expect_continue = BadRequest(why), True, False
        return len(data)

    def _is_too_large(self) -> bool:
        if self._limit is None:
            self._limit = self._largest(_asked(self))
        return bool(max(self.content_length, self.body_bytes_received) > self._limit)


class _ErrorTask(ErrorTask):  # type: ignore[misc]
    """Answers what never came to the app, as the app would."""

    def execute(self) -> None:
        error = self.request.error
        body = json.dumps({"error": _SAID.get(error.code, _UNEXPECTED)}).encode()
        self.status = f"{error.code} {error.reason}"
        headers = self.channel.server.guard.headers(self.request.headers.get("ORIGIN", ""))
        self.response_headers.extend(headers.items())
        self.response_headers += [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Task(WSGITask):  # type: ignore[misc]
    """Has the app answer, and lets go of whom it has no room for."""

    def execute(self) -> None:
        # A part of a file would be read and sent by this thread, at the pace of who asked for it.
        self.request.headers.pop("RANGE", None)
        if len(self.channel.requests) > 1 or self.channel.total_outbufs_len:
            # Who asks on without reading the answers would hold one thread after the other.
            self.set_close_on_finish()
        super().execute()

    def build_response_header(self) -> bytes:
        if self.status.startswith("503"):
            self.set_close_on_finish()
        header: bytes = super().build_response_header()
        return header


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection; its server has a `guard`."""

    task_class = _Task
    error_task_class = _ErrorTask

    def parser_class(self, adjustments: Any) -> _Parser:
        """A parser for the next request."""
        guard: Guard = self.server.guard
        return _Parser(adjustments, guard.largest_body)


def _is_endless(body: Any) -> bool:
    """Whether what stands between a body's chunks is longer than anybody needs it to be."""
    if not isinstance(body, ChunkedReceiver):
        return False
    return len(body.control_line) > LONGEST_LINE or len(body.trailer) > SMALL


def _asked(parser: Any) -> Asked:
    """What waitress has read of a request, as the guard judges it."""
    headers: dict[str, str] = parser.headers
    return Asked.of(parser.command, parser.path, lambda name: headers.get(name.upper().replace("-", "_")))
