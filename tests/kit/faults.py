"""Misbehaviour on order: a fixture for each kind, named for it. All of it is real: signals, sockets, disks.

Those that strike at processes take a `Pipeline`, and strike at what it has started, nothing else.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import zmq

from inference.gate import show_key
from inference.pipeline import Pipeline

Strike = Callable[..., None]


def _workers(pipeline: Pipeline) -> list[int]:
    return [pid for name, pid in pipeline.processes().items() if name != "producer" and pid is not None]


def _signal(pid: int | None, number: int) -> None:
    if pid is not None:
        os.kill(pid, number)


@pytest.fixture
def killed_worker() -> Strike:
    """Kills a worker, chosen by a random generator."""

    def strike(pipeline: Pipeline, chance: random.Random) -> None:
        workers = _workers(pipeline)
        if workers:
            _signal(chance.choice(workers), signal.SIGKILL)

    return strike


@pytest.fixture
def stopped_worker() -> Strike:
    """Stops a worker for good, as a debugger or a paging machine would: it lives and does nothing."""

    def strike(pipeline: Pipeline, chance: random.Random) -> None:
        workers = _workers(pipeline)
        if workers:
            _signal(chance.choice(workers), signal.SIGSTOP)

    return strike


@pytest.fixture
def killed_producer() -> Strike:
    """Kills the producer, if there is one at the moment."""
    return lambda pipeline: _signal(pipeline.processes().get("producer"), signal.SIGKILL)


@pytest.fixture
def stopped_producer() -> Strike:
    """Stops the producer for good."""
    return lambda pipeline: _signal(pipeline.processes().get("producer"), signal.SIGSTOP)


@pytest.fixture
def foreign_peer() -> Iterator[Callable[[str, int], zmq.Socket[bytes]]]:
    """Connects a ZeroMQ socket of a kind, without any key, to an address."""
    with ExitStack() as held:
        context = held.enter_context(zmq.Context())

        def connect(address: str, kind: int) -> zmq.Socket[bytes]:
            stranger = held.enter_context(context.socket(kind))
            stranger.linger, stranger.immediate = 0, 1
            stranger.connect(address)
            return stranger

        yield connect


@pytest.fixture
def peer_with_the_key() -> Iterator[Callable[[Any, int], zmq.Socket[bytes]]]:
    """Connects a ZeroMQ socket of a kind that knows the key of an `Endpoint`, to send what it likes."""
    with ExitStack() as held:
        context = held.enter_context(zmq.Context())

        def connect(endpoint: Any, kind: int) -> zmq.Socket[bytes]:
            peer = held.enter_context(context.socket(kind))
            peer.linger, peer.immediate = 0, 1
            show_key(peer, endpoint)
            peer.connect(endpoint.address)
            return peer

        yield connect


@pytest.fixture
def raw_bytes() -> Strike:
    """Sends bytes to a port that expects something else, and hangs up."""

    def strike(port: int, data: bytes) -> None:
        with socket.create_connection(("127.0.0.1", port), 5) as peer:
            peer.settimeout(1)
            try:
                peer.sendall(data)
                while peer.recv(4096):
                    pass
            except OSError:
                pass  # it hung up first

    return strike


@pytest.fixture
def every_now_and_then() -> Iterator[Callable[[Callable[[], None], random.Random, float], threading.Event]]:
    """Strikes again and again from a thread, after random pauses of up to so many s, until told to stop."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def begin(strike: Callable[[], None], chance: random.Random, pause: float) -> threading.Event:
        def loop() -> None:
            while not stop.wait(chance.uniform(0, pause)):
                strike()

        threads.append(threading.Thread(target=loop, daemon=True))
        threads[-1].start()
        return stop

    yield begin
    stop.set()
    for thread in threads:
        thread.join()
