"""Who comes in at a channel: the keys, the two ways to show one, and the count of those who are refused.

Every user of the machine can reach a port on loopback, so there is no channel without a key. On loopback the
key is a password (ZeroMQ's PLAIN), which costs a frame nothing; the kernel keeps what passes there from
others. Anywhere else it is CURVE, which encrypts: the address decides, and nobody can choose. A password
is shown to whoever listens, so a port on loopback is to be held for as long as anybody connects to it.
"""

from __future__ import annotations

import hmac
import ipaddress
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import zmq
from zmq.utils.monitor import recv_monitor_message

from inference.messages import Endpoint

GREETING = 3000
"""Milliseconds that a peer may take until it has shown its key."""
COUNTED_EVERY = 0.2
"""Seconds between two counts of refused peers, however many there are."""
_EVENTS = (
    zmq.EVENT_ACCEPTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_MONITOR_STOPPED
)
_ASKED_AT = "inproc://zeromq.zap.01"
"""Where libzmq asks, once in each context, whom to let in (ZeroMQ's RFC 27)."""


@dataclass(frozen=True)
class Keys:
    """A CURVE key pair. Here the public half is a secret too: it is what lets a peer in, or the password."""

    public: str = field(repr=False)
    secret: str = field(repr=False)


def new_keys() -> Keys:
    """A key pair that nobody has."""
    public, secret = zmq.curve_keypair()
    return Keys(public.decode(), secret.decode())


def admit(socket: zmq.Socket[bytes], address: str, keys: Keys, refused: Callable[[int], None]) -> None:
    """Have a socket, to be bound at `address`, let in who knows the keys' public half, and nobody else.

    The socket's context has to be its own. `refused` is told, from a thread of its own, how many others
    have tried.
    """
    socket.setsockopt(zmq.HANDSHAKE_IVL, GREETING)
    if _on_loopback(address):
        socket.plain_server = True
    else:
        socket.curve_server = True
        socket.curve_secretkey = keys.secret.encode()
    _Gate(socket, keys.public.encode(), refused).start()


def show_key(socket: zmq.Socket[bytes], endpoint: Endpoint) -> None:
    """Have a socket, to be connected to `endpoint`, show its key there."""
    if _on_loopback(endpoint.address):
        socket.plain_password = endpoint.key.encode()
    else:
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = endpoint.key.encode()


def _on_loopback(address: str) -> bool:
    """Whether a "tcp://host:port" leads nowhere but to this machine; a name may lead anywhere."""
    try:
        return ipaddress.ip_address(urlsplit(address).hostname or "").is_loopback
    except ValueError:
        return False


class _Gate(threading.Thread):
    """Looks at the keys that are shown to a bound socket, and counts who is refused; ends with the socket."""

    def __init__(self, socket: zmq.Socket[bytes], key: bytes, refused: Callable[[int], None]) -> None:
        super().__init__(name="gate", daemon=True)
        self._context = socket.context
        self._monitor = socket.get_monitor_socket(_EVENTS)
        self._asked: zmq.Socket[bytes] = self._context.socket(zmq.REP)
        self._asked.bind(_ASKED_AT)
        self._key = key
        self._refused = refused
        self._unknown: list[int] = []
        self._count = 0

    def run(self) -> None:
        """Take every event at once, since libzmq waits for that; tell of refusals now and then."""
        poller = zmq.Poller()
        poller.register(self._monitor, zmq.POLLIN)
        poller.register(self._asked, zmq.POLLIN)
        told, open_ = float("-inf"), True
        while open_:
            ready = dict(poller.poll(int(COUNTED_EVERY * 1000) if self._count else None))
            if self._asked in ready:
                self._answer(self._asked.recv_multipart())
            if self._monitor in ready:
                open_ = self._take(**recv_monitor_message(self._monitor))
            if self._count and time.monotonic() - told >= COUNTED_EVERY:
                self._refused(self._count)
                self._count, told = 0, time.monotonic()
        self._asked.close(linger=0)
        self._monitor.close(linger=0)
        self._context.term()

    def _answer(self, asked: list[bytes]) -> None:
        """Let a peer in, or not: the key that it shows stands last. By CURVE it has proved to know it."""
        version, number, *_, mechanism = asked[:6]
        known = mechanism == b"CURVE" or (mechanism == b"PLAIN" and hmac.compare_digest(asked[-1], self._key))
        status = b"200" if known else b"400"
        self._asked.send_multipart([version, number, status, b"", b"", b""])

    def _take(self, event: int, value: int, endpoint: bytes) -> bool:
        """Note one event of a connection; False if it is the last.

        `value` is the connection's descriptor, but not that of who has shown the key. It is taken to be the
        one that came last: if that was another, who has the key is counted on leaving, in the other's stead.
        """
        if event == zmq.EVENT_ACCEPTED:
            self._unknown.append(value)
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED and self._unknown:
            self._unknown.pop()
        elif event == zmq.EVENT_DISCONNECTED and value in self._unknown:
            self._unknown.remove(value)
            self._count += 1
        return event != zmq.EVENT_MONITOR_STOPPED
