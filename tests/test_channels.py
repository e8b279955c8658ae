"""Channels over real sockets: only peers that were told the key get in, and who does not is counted."""

import socket
import threading
import time
from contextlib import ExitStack, suppress

import numpy as np
import pytest
import zmq

from inference import gate
from inference.channels import LARGEST, Binding, Receiver, Sender, listen, new_keys
from inference.errors import PortInUse, WireError
from inference.messages import Batch, Endpoint, FrameInput, Ping, PoseOptions
from tests.kit.waiting import wait_until

ANYWHERE = "0.0.0.0"  # noqa: S104


@pytest.fixture
def refused():
    return []


@pytest.fixture
def channel(refused):
    """A bound receiver and a sender that knows its key and has been let in."""
    with Receiver(Binding(refused=refused.append)) as inlet, Sender(inlet.endpoint) as outlet:
        assert outlet.send(Ping(), timeout=5) and inlet.receive(timeout=5) == Ping()
        yield inlet, outlet


def port_of(channel):
    return int(channel.endpoint.address.rpartition(":")[2])


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


def curve(peer, key):
    peer.curve_publickey, peer.curve_secretkey = zmq.curve_keypair()
    peer.curve_serverkey = key


def plain(peer, key):
    peer.plain_password = key


def nothing(peer, key):
    pass


@pytest.fixture
def peer_that_shows():
    """Connects a socket of a kind that shows a key in some way, right or wrong, to an address."""
    with ExitStack() as held:
        context = held.enter_context(zmq.Context())

        def connect(address, kind, show, key):
            peer = held.enter_context(context.socket(kind))
            peer.linger, peer.immediate = 0, 1
            show(peer, key.encode())
            peer.connect(address)
            return peer

        yield connect


@pytest.mark.parametrize(("show", "right"), [(nothing, False), (plain, False), (curve, False), (curve, True)])
def test_a_peer_that_does_not_show_the_key_is_refused_and_counted(
    channel, refused, peer_that_shows, show, right
):
    inlet, outlet = channel
    key = inlet.endpoint.key if right else new_keys().public
    stranger = peer_that_shows(inlet.endpoint.address, zmq.PUSH, show, key)
    wait_until(lambda: sum(refused) >= 1, 10)
    assert not stranger.poll(0, zmq.POLLOUT)
    assert outlet.send(Ping(), timeout=5) and inlet.receive(timeout=5) == Ping()


def test_who_shows_the_key_while_another_leaves_holds_up_nobody(channel):
    """Two that may come in: the one that came first shows its key, and is gone before the other shows it."""
    inlet, outlet = channel
    key = inlet.endpoint.key.encode()
    hello = b"\x05HELLO\x00" + bytes([len(key)]) + key
    initiate = b"\x08INITIATE\x0bSocket-Type\x00\x00\x00\x04PUSH"

    def say(peer, command):
        peer.sendall(b"\x04" + bytes([len(command)]) + command)
        with peer.makefile("rb", buffering=0) as answer:
            kind, size = answer.read(2)
            assert kind == 4 and len(answer.read(size)) == size

    with ExitStack() as held:
        first, second = (
            held.enter_context(socket.create_connection(("127.0.0.1", port_of(inlet)), timeout=10))
            for _ in range(2)
        )
        for peer in (first, second):
            peer.sendall(PLAIN[:64])
            greeting = b""
            while len(greeting) < 64:
                greeting += peer.recv(64 - len(greeting))
        for peer in (first, second):
            say(peer, hello)
            say(peer, initiate)
            peer.close()
    assert outlet.send(Ping(), timeout=5) and inlet.receive(timeout=5) == Ping()
    with Sender(inlet.endpoint) as another:
        assert another.send(Ping(), timeout=5) and inlet.receive(timeout=5) == Ping()


def test_one_channels_key_does_not_open_another(refused, peer_that_shows):
    with Receiver(Binding()) as one, Receiver(Binding(refused=refused.append)) as other:
        stranger = peer_that_shows(other.endpoint.address, zmq.PUSH, plain, one.endpoint.key)
        wait_until(lambda: sum(refused) == 1, 10)
        assert not stranger.poll(0, zmq.POLLOUT)


ZMTP_3 = b"\xff" + bytes(8) + b"\x7f\x03\x00"
PLAIN = ZMTP_3 + b"PLAIN".ljust(20, b"\0") + bytes(32)
SAID = {
    "nothing": b"",
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "half a greeting": ZMTP_3 + bytes(52),
    "nulls": bytes(64),
    "ZMTP 1": b"\x01\x00",
    "ZMTP 2": b"\xff" + bytes(7) + b"\x01\x7f\x01\x07\x00\x00",
    "PLAIN and a message": PLAIN + b"\x00\x05hello",
    "PLAIN and garbage": PLAIN + b"\xff" * 100,
    "PLAIN, INITIATE at once": PLAIN + b"\x04\x09\x08INITIATE",
    "PLAIN, a wrong password and a message": PLAIN + b"\x04\x0a\x05HELLO\x00\x02no" + b"\x00\x05hello",
    "PLAIN, a password of 1 TB": PLAIN + b"\x06" + (1 << 40).to_bytes(8, "big") + b"\x05HELLO",
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_what_speaks_another_language_is_refused_and_counted(channel, refused, said):
    inlet, outlet = channel
    with socket.create_connection(("127.0.0.1", port_of(inlet))) as peer:
        peer.sendall(said)
    wait_until(lambda: sum(refused) == 1, 10)
    assert outlet.send(Ping(), timeout=5) and inlet.receive(timeout=5) == Ping()
    assert inlet.receive(timeout=0.05) is None


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_nothing_is_sent_to_whoever_does_not_show_the_key(monkeypatch, refused, said):
    monkeypatch.setattr(gate, "GREETING", 300)
    with Sender(Binding(refused=refused.append)) as outlet:
        with socket.create_connection(("127.0.0.1", port_of(outlet)), 5) as peer:
            peer.sendall(said)
            heard = heard_until_cut_off(peer)
        wait_until(lambda: sum(refused) == 1, 10)
        assert b"Ping" not in heard and not outlet.send(Ping(), timeout=0)


def heard_until_cut_off(peer):
    heard = b""
    with suppress(ConnectionResetError):
        while more := peer.recv(4096):
            heard += more
    return heard


def test_who_leaves_is_not_counted(channel, refused):
    inlet, _ = channel
    with Sender(inlet.endpoint) as another:
        assert another.send(Ping(), timeout=5) and inlet.receive(timeout=5) == Ping()
    with socket.create_connection(("127.0.0.1", port_of(inlet))):
        pass
    wait_until(lambda: refused, 10)
    time.sleep(2 * gate.COUNTED_EVERY)
    assert sum(refused) == 1


def test_a_closed_channel_leaves_no_thread_behind():
    before = set(threading.enumerate())
    with Receiver(Binding()), Sender(Binding()):
        assert len(set(threading.enumerate()) - before) == 2
    wait_until(lambda: set(threading.enumerate()) <= before, 10)


@pytest.fixture
def abroad(refused):
    """A receiver that other machines can reach."""
    with listen(host=ANYWHERE) as port, Receiver(Binding(port, refused=refused.append)) as inlet:
        yield inlet


def test_beyond_loopback_a_channel_is_encrypted(abroad, refused):
    with Sender(abroad.endpoint) as outlet:
        assert outlet.send(Ping(), timeout=5) and abroad.receive(timeout=5) == Ping()
    assert refused == []


@pytest.mark.parametrize("show", [nothing, plain])
def test_beyond_loopback_nobody_comes_in_without_encryption(abroad, refused, peer_that_shows, show):
    address = f"tcp://127.0.0.1:{port_of(abroad)}"
    stranger = peer_that_shows(address, zmq.PUSH, show, abroad.endpoint.key)
    wait_until(lambda: sum(refused) >= 1, 10)
    assert not stranger.poll(0, zmq.POLLOUT)


@pytest.mark.parametrize("host", [ANYWHERE, "localhost"])
def test_beyond_loopback_nobody_is_told_the_key(host):
    key = new_keys().public
    with listen() as impostor:
        impostor.setblocking(True)
        with Sender(Endpoint(f"tcp://{host}:{impostor.getsockname()[1]}", key)):
            peer, _ = impostor.accept()
            with peer:
                peer.settimeout(5)
                peer.sendall(ZMTP_3 + b"CURVE".ljust(20, b"\0") + bytes(32))
                heard = b""
                while len(heard) < 64 + 202:  # a greeting and a HELLO
                    heard += peer.recv(4096)
    assert b"CURVE" in heard and key.encode() not in heard


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


def test_a_port_that_is_held_stays_so_while_its_channels_come_and_go():
    keys = new_keys()
    with listen() as port, ExitStack() as late:
        with Receiver(Binding(port, keys)) as one:
            outlet = late.enter_context(Sender(one.endpoint))
            assert outlet.send(Ping(), timeout=5) and one.receive(timeout=5) == Ping()
        with pytest.raises(PortInUse):
            listen(port.getsockname()[1])
        with Receiver(Binding(port, keys)) as other:
            assert other.endpoint == one.endpoint
            # what is sent before the sender has heard of the end of the one is lost with it
            wait_until(lambda: outlet.send(Ping(), timeout=1) and other.receive(timeout=1) == Ping(), 20)
