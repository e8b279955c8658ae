"""Channels between processes: with `gate.py` the only place that knows ZeroMQ, and the pipes to children.

The data flow is PUSH -> PULL -> PUSH -> PULL. PUSH deals to every connected peer in turn, ready or
not, and by default whole seconds of work vanish into a peer's buffers; so marks and buffers are
small and set before bind or connect, and what really bounds the work in flight is credit, kept by
whoever sends.

Everything binds on the loopback interface, and nobody connects who was not told the channel's key
(`gate.py`). A port is held by a listening socket, which a process may be handed by the one that started it:
then the port is never free for others while processes come and go.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import zmq

from inference.errors import PortInUse, WireError
from inference.gate import Keys, admit, new_keys, show_key
from inference.messages import Endpoint
from inference.wire import decode, encode, join, split

MARK = 1
BUFFER = 64 * 1024
HOST = "127.0.0.1"
LARGEST = 1 << 26
"""Bytes that a part of an answer may have: more than any picture; who sends a larger one is cut off."""
LARGEST_WORK = 1 << 28
"""The same for a part of a batch, which no stranger can send: more than any frame."""
SMALL = 64 * 1024
"""What a socket that only sends may be sent, to find out who connects."""


def ignore(refused: int) -> None:
    """Make nothing of refused peers."""


def listen(port: int | None = None, host: str = HOST) -> socket.socket:
    """Take a port (None: a free one), and hold it for as long as the socket is open; PortInUse."""
    try:
        listener = socket.create_server((host, port or 0))
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortInUse(f"port {port} is in use or not allowed") from error
        raise
    listener.setblocking(False)
    # ZeroMQ sets these for listeners of its own alone; who is accepted inherits them
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    return listener


@dataclass(frozen=True)
class Binding:
    """Who binds a channel: at `port`, for peers that know the keys' public half.

    `port` is a number, None for a free one, or a listening socket, so that the port stays its holder's when
    the channel is closed. `refused` is told, from a thread of its own, how many others have tried.
    """

    port: int | socket.socket | None = None
    keys: Keys = field(default_factory=new_keys)
    refused: Callable[[int], None] = ignore


class Sender:
    """The PUSH end of a channel: messages in, parts out. One thread at a time may use it."""

    def __init__(self, where: Binding | Endpoint) -> None:
        """Bind, or connect to where another has bound; PortInUse."""
        self._socket, self.endpoint = _attached(zmq.PUSH, where)

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
        _close(self._socket)

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Receiver:
    """The PULL end of a channel: parts in, messages out. One thread at a time may use it."""

    def __init__(self, where: Binding | Endpoint) -> None:
        """Bind, or connect to where another has bound; PortInUse."""
        self._socket, self.endpoint = _attached(zmq.PULL, where)

    def receive(self, timeout: float) -> Any | None:
        """The next message, or None if none comes within `timeout` s; WireError if it is malformed."""
        if not self._socket.poll(int(timeout * 1000), zmq.POLLIN):
            return None
        parts = self._socket.recv_multipart(copy=False)
        return decode([part.buffer for part in parts])

    def close(self) -> None:
        """Close the channel; what was not received yet is dropped."""
        _close(self._socket)

    def __enter__(self) -> Receiver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _attached(kind: int, where: Binding | Endpoint) -> tuple[zmq.Socket[bytes], Endpoint]:
    if isinstance(where, Endpoint):
        channel = _channel(zmq.Context.instance(), kind)
        channel.setsockopt(zmq.MAXMSGSIZE, LARGEST_WORK)
        show_key(channel, where)
        channel.connect(where.address)
        return channel, where
    listener = where.port.dup() if isinstance(where.port, socket.socket) else listen(where.port)
    host, port = listener.getsockname()
    endpoint = Endpoint(f"tcp://{host}:{port}", where.keys.public)
    # a context of its own: ZeroMQ asks one gate for all sockets of a context
    channel = _channel(zmq.Context(), kind)
    channel.setsockopt(zmq.MAXMSGSIZE, SMALL if kind == zmq.PUSH else LARGEST)
    channel.setsockopt(zmq.USE_FD, listener.detach())
    admit(channel, endpoint.address, where.keys, where.refused)
    channel.bind(endpoint.address)
    return channel, endpoint


def _channel(context: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
    channel = context.socket(kind)
    # A PUSH without IMMEDIATE queues for a peer whose connection is not yet, or no longer, there.
    channel.setsockopt(zmq.IMMEDIATE, 1)
    channel.setsockopt(zmq.LINGER, 0)
    channel.hwm = MARK
    channel.setsockopt(zmq.SNDBUF, BUFFER)
    channel.setsockopt(zmq.RCVBUF, BUFFER)
    return channel


def _close(channel: zmq.Socket[bytes]) -> None:
    channel.disable_monitor()
    channel.close()


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
        """Send a message."""
        whole = join(encode(message))
        with self._lock:
            self.connection.send_bytes(whole)

    def receive(self) -> Any:
        """Wait for the next message; WireError if it is malformed."""
        return decode(split(self.connection.recv_bytes()))

    def poll(self) -> bool:
        """Whether a message, or the end, can be received at once."""
        return self.connection.poll()

    def close(self) -> None:
        """Close this end."""
        self.connection.close()


__all__ = ["Binding", "Keys", "Pipe", "Receiver", "Sender", "WireError", "listen", "new_keys"]
