"""The web server: waitress, its socket, and how much of everything it may take. No routes.

Its threads may each hold a stream: a slow viewer blocks its own thread alone, a small buffer a stream is
all that it costs, and leaving is noticed between two writes.
"""

from __future__ import annotations

import resource
import socket
import sys
import threading

import waitress
from flask import Flask

from inference.errors import PortInUse
from inference.hosts import is_wildcard
from inference.web.guard import guard_of
from inference.web.intake import Channel

SPARE_THREADS = 8
"""Threads beside those that hold streams: for the page, its lists, exports and refusals."""
CONNECTIONS = 1024
"""Connections at least that may be open; an idle one costs some KB and a file descriptor."""
OTHER_FILES = 256
"""File descriptors that the program needs beside those of connections."""
BUFFERED = 64 * 1024
"""Bytes of a stream that may wait in the server; with the system's own buffer, all that is read ahead."""
SEND_BUFFER = 256 * 1024
LARGEST_HEADER = 16 * 1024
"""Bytes of a request's first line and headers."""
BACKLOG = 1024
"""Connections that may wait to be taken; with `listen`, a second program cannot have the port any more."""


class Server:
    """The web server, in threads of its own, from its making until `close`."""

    def __init__(self, app: Flask, listener: socket.socket) -> None:
        """`app` has a guard, whose settings say how many streams and how large videos are taken."""
        guard = guard_of(app)
        streams = guard.settings.max_streams
        self._server = waitress.create_server(
            app,
            sockets=[listener],
            threads=streams + SPARE_THREADS,
            connection_limit=_room_for(max(CONNECTIONS, 4 * streams)),
            outbuf_high_watermark=BUFFERED,
            # Noticing that a viewer left needs a read beside the running request.
            channel_request_lookahead=1,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True,
            ident=None,
            max_request_header_size=LARGEST_HEADER,
            # The channel has limits of its own, for each request.
            max_request_body_size=sys.maxsize,
        )
        self._server.guard = guard
        self._server.channel_class = Channel
        self._thread = threading.Thread(target=self._server.run, name="server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more requests, and let those that run end within a second."""
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.close()


def _room_for(connections: int) -> int:
    """How many connections there is room for, once this process may have as many files as it needs.

    Each may need two: its socket, and a file for an answer that is too large to be kept in memory.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return connections
    return max(1, min(connections, (soft - OTHER_FILES) // 2))


def listen(host: str, port: int) -> socket.socket:
    """A socket bound for the server; PortInUse if the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortInUse(f"--port: port {port} at {host} cannot be used: {error.strerror}") from error
    return listener


def address_of(listener: socket.socket) -> str:
    """The address to open in a browser: this machine's own where the server listens at all of them."""
    host, port = listener.getsockname()[:2]
    if is_wildcard(host):
        host = _own_address()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _own_address() -> str:
    """The address that other machines reach this one at; loopback without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(("192.0.2.1", 9))  # sends nothing: the system only chooses the way
        except OSError:
            return "127.0.0.1"
        host: str = way.getsockname()[0]
        return host
