"""What waitress takes in before the app is asked: bodies within their limit, and errors in the app's words.

Waitress keeps a whole body, in memory or a file, before it calls the app. So where the headers, or the
chunks so far, show that a body is too large, it is not read: the app is asked without it, and refuses.
What the disk has no room for is dropped as it comes; who sends it hears why at its end.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.receiver import ChunkedReceiver
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest, Error

from inference.admission import Asked
from inference.web.guard import SMALL, Guard

log = logging.getLogger(__name__)

_SAID = {
    400: "The request is not valid HTTP.",
    431: "The request's first line and headers are too long together.",
    501: "The body is sent in a way that is not known here: send it as it is, or in chunks.",
}
LONGEST_LINE = 1024
"""Bytes of a line that says how long a chunk is."""
_UNEXPECTED = "Something went wrong in the server; its log says what."


class _NotStored(Error):  # type: ignore[misc]
    """As the app answers where it is the data folder that has no room."""

    code = 507
    reason = "Insufficient Storage"

    def __init__(self, why: str) -> None:
        super().__init__(f"What is sent could not be written to the folder for temporary files: {why}")


def why_not(error: OSError) -> str:
    """Why nothing could be written to a folder, and what is to be done there."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    todo = "Make room there" if full else "See to it that the program can write there"
    return f"{os.strerror(error.errno or errno.EIO)}. {todo}, then send it again."


class _Body(OverflowableBuffer):  # type: ignore[misc]
    """A body as it comes: in memory, then in a file, and nowhere any more once that `failed`."""

    failed = ""

    def append(self, data: bytes) -> None:
        if self.failed:
            return
        try:
            super().append(data)
        except OSError as error:
            log.exception("a request's body cannot be kept")
            # not the error, which would keep the file open by its traceback
            self.failed = why_not(error)
            self.close()

    def close(self) -> None:
        # What a file could not take, it cannot take at its end either.
        with suppress(OSError):
            super().close()


class _Parser(HTTPRequestParser):  # type: ignore[misc] # waitress has no types
    """Reads a request, but no body that is larger than it may be, and keeps none without room for it."""

    error: Any

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
        if self.completed and self.error is None and (why := self._failed):
            self.error = _NotStored(why)
        if self.completed:
            # Or waitress would still ask for the body that is not wanted, and read it.
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.body_rcv is not None:
            self.body_rcv.buf = _Body(self.adj.inbuf_overflow)

    @property
    def _failed(self) -> str:
        """What keeping the body failed of, if it did."""
        failed: str = "" if self.body_rcv is None else self.body_rcv.getbuf().failed
        return failed

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
        said = error.body if isinstance(error, _NotStored) else _SAID.get(error.code, _UNEXPECTED)
        body = json.dumps({"error": said}).encode()
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
