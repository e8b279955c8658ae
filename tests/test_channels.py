"""Channels over real sockets: only peers that were told the key get in, and who does not is counted."""

import socket
import time

import numpy as np
import pytest
import zmq

from inference.channels import LARGEST, Binding, Receiver, Sender
from inference.errors import PortInUse, WireError
from inference.messages import Batch, Endpoint, FrameInput, Ping, PoseOptions
from tests.kit.waiting import wait_until


@pytest.fixture
def refused():
    return []


@pytest.fixture
def channel(refused):
    """A bound receiver and a sender that knows its key."""
    with Receiver(Binding(refused=refused.append)) as inlet, Sender(inlet.endpoint) as outlet:
        yield inlet, outlet


def port_of(inlet):
    return int(inlet.endpoint.address.rpartition(":")[2])


def test_a_message_with_pixels_arrives_as_it_was(channel, refused):
    inlet, outlet = channel
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    sent = Batch(1, "m", None, PoseOptions(), (FrameInput("r", 0, image, None, 1.0, 2.0),))
    assert outlet.send(sent, timeout=5)
    got = inlet.receive(timeout=5)
    (one,) = got.inputs
    assert one.index == 0 and np.array_equal(one.image, image)
    assert inlet.receive(timeout=0.05) is None
    assert refused == []


def test_it_is_bound_to_loopback(channel):
    assert channel[0].endpoint.address.startswith("tcp://127.0.0.1:")


def test_keys_are_shown_in_no_text(channel):
    endpoint = channel[0].endpoint
    assert len(endpoint.key) == 40 and endpoint.key not in f"{endpoint!r} {endpoint} {Binding()!r}"


@pytest.mark.parametrize("key", ["none", "another"])
def test_a_peer_without_the_key_is_refused_and_counted(
    channel, refused, foreign_peer, peer_with_the_key, key
):
    inlet, outlet = channel
    if key == "none":
        stranger = foreign_peer(inlet.endpoint.address, zmq.PUSH)
    else:
        other = zmq.curve_keypair()[0].decode()
        stranger = peer_with_the_key(Endpoint(inlet.endpoint.address, other), zmq.PUSH)
    wait_until(lambda: sum(refused) >= 2, 10)  # it tries again and again
    assert not stranger.poll(0, zmq.POLLOUT)
    assert outlet.send(Ping(), timeout=5) and inlet.receive(timeout=5) == Ping()


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" + bytes(8) + b"\x7f" + bytes(54), bytes(64)]
)
def test_what_speaks_another_language_is_refused_and_counted(channel, refused, said):
    inlet, outlet = channel
    with socket.create_connection(("127.0.0.1", port_of(inlet))) as peer:
        peer.sendall(said)
    wait_until(lambda: sum(refused) == 1, 10)
    assert outlet.send(Ping(), timeout=5) and inlet.receive(timeout=5) == Ping()


def test_many_refusals_are_told_of_now_and_then(channel, refused):
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", port_of(channel[0]))):
            pass
    wait_until(lambda: sum(refused) == 300, 20)
    assert len(refused) < 100


def test_a_malformed_message_is_a_wire_error_and_the_next_one_comes(channel, peer_with_the_key):
    inlet, outlet = channel
    peer_with_the_key(inlet.endpoint, zmq.PUSH).send_multipart([b"{", b"x"])
    with pytest.raises(WireError):
        wait_until(lambda: inlet.receive(timeout=1), 10)
    assert outlet.send(Ping(), timeout=5) and inlet.receive(timeout=5) == Ping()


def test_a_part_that_is_too_large_never_arrives(channel, peer_with_the_key):
    inlet, outlet = channel
    peer_with_the_key(inlet.endpoint, zmq.PUSH).send(bytes(LARGEST + 1), copy=False)
    assert outlet.send(Ping(), timeout=5) and inlet.receive(timeout=5) == Ping()
    assert inlet.receive(timeout=0.5) is None


def test_a_port_that_is_taken_is_said():
    with Receiver(Binding()) as one, pytest.raises(PortInUse, match=str(port_of(one))):
        Receiver(Binding(port_of(one)))


def test_a_port_is_free_again_at_once():
    with Receiver(Binding()) as one:
        binding = Binding(port_of(one))
    began = time.monotonic()
    while True:
        try:
            Receiver(binding).close()
            return
        except PortInUse:
            assert time.monotonic() - began < 5
