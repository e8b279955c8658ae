"""Channels between processes: the only place that knows ZeroMQ and the pipes between parent and child.

The data flow is PUSH -> PULL -> PUSH -> PULL. PUSH deals to every connected peer in turn, ready or
not, and by default whole seconds of work vanish into a peer's buffers; so marks and buffers are
small and set before bind or connect, and what really bounds the work in flight is credit, kept by
whoever sends.

Everything binds on the loopback interface. Every user of the machine can reach that, so each channel is
encrypted (CURVE), and nobody connects who was not told its key. There is no other kind of channel: one
between machines cannot be open by mistake. Who tries without the key is refused and counted.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from inference.errors import PortInUse, WireError
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
GREETING = 3000
"""Milliseconds that a peer may take until it has shown its key."""
COUNTED_EVERY = 0.2
"""Seconds between two counts of refused peers, however many there are."""
_EVENTS = (
    zmq.EVENT_ACCEPTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_MONITOR_STOPPED
)


@dataclass(frozen=True)
class Keys:
    """A CURVE key pair. Here the public half is a secret too: it is what lets a peer in."""

    public: str = field(repr=False)
    secret: str = field(repr=False)


def new_keys() -> Keys:
    """A key pair that nobody has."""
    public, secret = zmq.curve_keypair()
    return Keys(public.decode(), secret.decode())


def ignore(refused: int) -> None:
    """Make nothing of refused peers."""


@dataclass(frozen=True)
class Binding:
    """Who binds a channel: at `port` (None: a free one), for peers that know the keys' public half.

    `refused` is told, from a thread of its own, how many others have tried.
    """

    port: int | None = None
    keys: Keys = field(default_factory=new_keys)
    refused: Callable[[int], None] = ignore


class Sender:
    """The PUSH end of a channel: messages in, parts out. One thread at a time may use it."""

    def __init__(self, where: Binding | Endpoint) -> None:
        """Bind, or connect to where another has bound; PortInUse."""
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
        # A PUSH without IMMEDIATE queues for a peer whose connection is not yet, or no longer, there.
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._socket.setsockopt(zmq.LINGER, 0)
        self.endpoint = _attach(self._socket, zmq.SNDHWM, zmq.SNDBUF, where)

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
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PULL)
        self.endpoint = _attach(self._socket, zmq.RCVHWM, zmq.RCVBUF, where)

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


class _Gate(threading.Thread):
    """Counts the peers that a bound socket refuses; ends with the socket."""

    def __init__(self, socket: zmq.Socket[bytes], refused: Callable[[int], None]) -> None:
        super().__init__(name="gate", daemon=True)
        self._monitor = socket.get_monitor_socket(_EVENTS)
        self._refused = refused
        self._strangers: set[int] = set()
        self._count = 0

    def run(self) -> None:
        """Take every event at once, since libzmq waits for that; tell of refusals now and then."""
        told, open_ = float("-inf"), True
        while open_:
            if self._monitor.poll(int(COUNTED_EVERY * 1000) if self._count else None):
                open_ = self._take(**recv_monitor_message(self._monitor))
            if self._count and time.monotonic() - told >= COUNTED_EVERY:
                self._refused(self._count)
                self._count, told = 0, time.monotonic()
        self._monitor.close(linger=0)

    def _take(self, event: int, value: int, endpoint: bytes) -> bool:
        """Note one event of a connection, whose descriptor is `value`; False if it is the last."""
        if event == zmq.EVENT_ACCEPTED:
            self._strangers.add(value)
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._strangers.discard(value)
        elif event == zmq.EVENT_DISCONNECTED and value in self._strangers:
            self._strangers.remove(value)
            self._count += 1
        return event != zmq.EVENT_MONITOR_STOPPED


def _attach(socket: zmq.Socket[bytes], mark: int, buffer: int, where: Binding | Endpoint) -> Endpoint:
    socket.setsockopt(mark, MARK)
    socket.setsockopt(buffer, BUFFER)
    socket.setsockopt(zmq.HANDSHAKE_IVL, GREETING)
    socket.setsockopt(zmq.MAXMSGSIZE, SMALL if mark == zmq.SNDHWM else LARGEST)
    if isinstance(where, Endpoint):
        socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_WORK)
        own = new_keys()
        socket.curve_publickey, socket.curve_secretkey = own.public.encode(), own.secret.encode()
        socket.curve_serverkey = where.key.encode()
        socket.connect(where.address)
        return where
    socket.curve_server = True
    socket.curve_secretkey = where.keys.secret.encode()
    _Gate(socket, where.refused).start()
    try:
        socket.bind(f"tcp://{HOST}:{where.port or '*'}")
    except zmq.ZMQError as error:
        _close(socket)
        if error.errno in (zmq.EADDRINUSE, errno.EACCES):
            raise PortInUse(f"port {where.port} is in use or not allowed") from error
        raise
    return Endpoint(socket.getsockopt_string(zmq.LAST_ENDPOINT), where.keys.public)


def _close(socket: zmq.Socket[bytes]) -> None:
    socket.disable_monitor()
    socket.close(linger=0)


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


__all__ = ["Binding", "Keys", "Pipe", "Receiver", "Sender", "WireError", "new_keys"]
