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

import psutil
import pytest
import zmq

from inference.gate import show_key
from inference.pipeline import Pipeline

Strike = Callable[..., None]
StrikeAtWorker = Callable[[Pipeline, random.Random], int | None]
"""Gives the number of the process that it hit; None: no worker was there to be hit."""


def _workers(pipeline: Pipeline) -> list[int]:
    """Those that live: not who was hit before and is not replaced yet."""
    children = pipeline.processes().items()
    return [pid for name, pid in children if name != "producer" and pid is not None and _lives(pid)]


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


def _connected(pipeline: Pipeline) -> list[int]:
    """Those of them that take work: one stopped in its start is given minutes to go on."""
    with pipeline._lock:
        connected = {worker.child.pid for worker in pipeline._pool._workers.values() if worker.connected}
    return [pid for pid in _workers(pipeline) if pid in connected]


def _strike_at_worker(number: int, among: Callable[[Pipeline], list[int]] = _workers) -> StrikeAtWorker:
    def strike(pipeline: Pipeline, chance: random.Random) -> int | None:
        workers = among(pipeline)
        hit = chance.choice(workers) if workers else None
        _signal(hit, number)
        return hit

    return strike


def _signal(pid: int | None, number: int) -> None:
    if pid is not None:
        os.kill(pid, number)


@pytest.fixture
def killed_worker() -> StrikeAtWorker:
    """Kills a worker, chosen by a random generator."""
    return _strike_at_worker(signal.SIGKILL)


@pytest.fixture
def stopped_worker() -> StrikeAtWorker:
    """Stops a worker for good, as a debugger or a paging machine would: it lives and does nothing."""
    return _strike_at_worker(signal.SIGSTOP, _connected)


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
