"""How the program starts where others can reach it: with a token that is made or given, and never logged."""

import ipaddress
import re

import httpx
import pytest

import app as web
from tests.kit import barcode, raw
from tests.kit.program import Program

GIVEN = "a-token-that-was-given"


@pytest.fixture
def start(tmp_path):
    """Starts the program with a model that is none, which is logged with whatever else there is to log."""
    (tmp_path / "best_model.h5").write_text("no model")
    barcode.write(tmp_path / "a.avi", 5)
    started = []

    def start(*arguments, **options):
        folders = ["--data", str(tmp_path), "--models", str(tmp_path), "-n_servers", "1", "--port", "0"]
        started.append(Program(*folders, *arguments, "--log-level", "debug", **options))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def use(address, token):
    """Come in by every way, rightly and wrongly; gives the secrets that were in use."""
    with httpx.Client(base_url=address, timeout=20) as client:
        assert client.get("/").status_code == 401
        assert client.get("/", headers={"Accept": "text/html"}).headers["location"] == "/login"
        assert client.post("/login", json={"token": f"{token}x"}).status_code == 401
        assert client.get("/runs", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert client.post("/login", data={"token": token}).status_code == 303
        assert client.get("/").status_code == 200
        assert client.get("/generate_predictions?video_name=none").status_code == 404
        assert (
            client.get("/generate_predictions", headers={"Origin": "https://evil.example"}).status_code == 403
        )
        assert client.get("/runs", headers={"Host": "evil.example"}).status_code == 421
        assert "event: failure" in client.get("/generate_predictions?video_name=a.avi").text
        session = next(iter(client.cookies.values()))
    asked = f"Host: localhost\r\nAuthorization: Bearer {token}\r\nCookie: x={session}\r\n"
    garbage = [
        "GET /runs\r\nbroken\r\n",
        "GET / HTTP/1.1\r\nContent-Length: x\r\n",
        "POST /login HTTP/1.1\r\nContent-Length: 99999\r\n",
    ]
    for line in garbage:
        assert raw.send(address, f"{line}{asked}\r\n".encode()).status in (400, 413)
    return [token, session]


def all_it_said(running):
    running.process.terminate()
    out, err = running.process.communicate(timeout=20)
    assert running.process.returncode == 0
    assert "best_model.h5" in err
    return out + err


def test_a_host_that_others_reach_gets_a_token_that_is_printed_and_never_logged(start):
    running = start("--host", "::")
    found = re.search(r"Open (http://\S+:\d+/)login#token=([\w-]{43}) in a browser", running.greeting)
    assert found, running.greeting
    address, token = found.groups()
    secrets = use(address, token)
    said = all_it_said(running)
    assert not [secret for secret in secrets if secret in said]


def test_a_token_that_was_given_is_asked_for_and_not_repeated(start):
    running = start(environment={"INFERENCE_TOKEN": GIVEN})
    assert GIVEN not in running.greeting and "/login" not in running.greeting
    secrets = use(running.address, GIVEN)
    said = all_it_said(running)
    assert not [secret for secret in secrets if secret in said]


def test_no_wildcard_is_printed_as_an_address():
    for host in ("0.0.0.0", "::"):  # noqa: S104
        with web.listen(host, 0) as listener:
            found = httpx.URL(web.address_of(listener))
            assert not ipaddress.ip_address(found.host).is_unspecified
            assert found.port == listener.getsockname()[1]
    with web.listen("127.0.0.1", 0) as listener:
        assert httpx.URL(web.address_of(listener)).host == "127.0.0.1"
