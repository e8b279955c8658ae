"""Channels between processes: the only place that knows ZeroMQ and the pipes between parent and child.

The data flow is PUSH -> PULL -> PUSH -> PULL. PUSH deals to every connected peer in turn, ready or
not, and by default whole seconds of work vanish into a peer's buffers; so marks and buffers are
small and set before bind or connect, and what really bounds the work in flight is credit, kept by
whoever sends. Everything binds and connects on the loopback interface.
"""

from __future__ import annotations

import errno
import threading
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import zmq

from inference.errors import PortInUse, WireError
from inference.wire import decode, encode

MARK = 1
BUFFER = 64 * 1024
HOST = "127.0.0.1"


class Sender:
    """The PUSH end of a channel: messages in, parts out. One thread at a time may use it."""

    def __init__(self, port: int | None = None, connect: str | None = None) -> None:
        """Bind to `port` (None: a free one) or, if an address is given, connect to it."""
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
        # A PUSH without IMMEDIATE queues for a peer whose connection is not yet, or no longer, there.
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._socket.setsockopt(zmq.LINGER, 0)
        self.address = _attach(self._socket, zmq.SNDHWM, zmq.SNDBUF, port, connect)

    def send(self, message: Any, timeout: float) -> bool:
        """Send a message within `timeout` s; False if no peer takes it by then."""
        if not self._socket.poll(int(timeout * 1000), zmq.POLLOUT):
            return False
        try:
            self._socket.send_multipart(encode(message), flags=zmq.NOBLOCK, copy=True)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        """Close the channel; what was not sent yet is dropped."""
        self._socket.close()

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Receiver:
    """The PULL end of a channel: parts in, messages out. One thread at a time may use it."""

    def __init__(self, port: int | None = None, connect: str | None = None) -> None:
        """Bind to `port` (None: a free one) or, if an address is given, connect to it."""
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PULL)
        self.address = _attach(self._socket, zmq.RCVHWM, zmq.RCVBUF, port, connect)

    def receive(self, timeout: float) -> Any | None:
        """The next message, or None if none comes within `timeout` s; WireError if it is malformed."""
        if not self._socket.poll(int(timeout * 1000), zmq.POLLIN):
            return None
        parts = self._socket.recv_multipart(copy=False)
        return decode([part.buffer for part in parts])

    def close(self) -> None:
        """Close the channel; what was not received yet is dropped."""
        self._socket.close(linger=0)

    def __enter__(self) -> Receiver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _attach(socket: zmq.Socket[bytes], mark: int, buffer: int, port: int | None, connect: str | None) -> str:
    socket.setsockopt(mark, MARK)
    socket.setsockopt(buffer, BUFFER)
    if connect is not None:
        socket.connect(connect)
        return connect
    try:
        socket.bind(f"tcp://{HOST}:{port or '*'}")
    except zmq.ZMQError as error:
        socket.close(linger=0)
        if error.errno in (zmq.EADDRINUSE, errno.EACCES):
            raise PortInUse(f"port {port} is in use or not allowed") from error
        raise
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


class Pipe:
    """One end of a two-way pipe between a process and its child, for small messages.

    What was written stays readable after the writer's death: unlike a socket's, its words are in
    the kernel at once. Several threads may send; one receives. Raises EOFError and OSError as the
    connection does when the other end is gone.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._lock = threading.Lock()

    def send(self, message: Any) -> None:
        """Send a message without arrays."""
        (header,) = encode(message)
        with self._lock:
            self.connection.send_bytes(header)

    def receive(self) -> Any:
        """Wait for the next message; WireError if it is malformed."""
        return decode([self.connection.recv_bytes()])

    def poll(self) -> bool:
        """Whether a message, or the end, can be received at once."""
        return self.connection.poll()

    def close(self) -> None:
        """Close this end."""
        self.connection.close()


__all__ = ["Pipe", "Receiver", "Sender", "WireError"]
