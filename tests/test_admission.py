"""Who may come in, on words alone: every rule in a table, and what must hold for any words."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.admission import OPEN, PAGES, Admission, Asked, cookie_name, same
from inference.errors import CrossSite, InferenceError, NotLoggedIn, RequestError, WrongHost
from inference.hosts import host_in, is_loopback, is_wildcard, name_of, origin_in

TOKEN, SESSION = "the token of tests", "the session of tests"
DOOR = Admission(frozenset({"lab", "lab.local"}), frozenset({"https://ally.example"}), TOKEN, SESSION)
OPEN_DOOR = replace(DOOR, token=None)
ASKED = Asked("GET", "/runs", "localhost:5000")


KNOWN = [
    *("localhost", "localhost:5000", "LocalHost:5000", "localhost.", "a.localhost", "lab", "LAB:80", "lab:"),
    *("lab.local.", "127.0.0.1", "127.8.8.8:1", "192.168.1.7:5000", "[::1]:5000", "[fe80::1%25eth0]"),
    "[2001:db8::7]:443",
]
UNKNOWN = [
    *("evil.example", "lab.evil.example", "localhost.evil.example", "notlab", "evillocalhost", "1.2.3"),
    *("127.0.0.1.evil.example", "0x7f000001", "2130706433"),
    # they reach this machine, but a browser does not know that they do
    *("0.0.0.0:5000", "[::]:5000", "[::ffff:127.0.0.1]:5000", "0"),
]
NO_HOST = [
    *(None, "", " ", ":5000", "a b", "lab, lab", "lab/x", "me@lab", "lab:x", "lab:٣", "lab:123456"),
    *("[::1", "::1", "lab\0", "lab\n", "http://lab", "lab\\x", "läb"),
]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, None) for host in KNOWN),
        *((host, WrongHost) for host in UNKNOWN),
        *((host, RequestError) for host in NO_HOST),
    ],
)
def test_a_request_is_for_a_host_that_is_known(host, expected):
    asked = replace(ASKED, host=host)
    if expected is None:
        OPEN_DOOR.check(asked)
    else:
        with pytest.raises(expected) as caught:
            OPEN_DOOR.check(asked)
        assert ("--allow-host" in str(caught.value)) == (expected is WrongHost)


@given(st.text(max_size=60))
def test_no_other_host_comes_in_whatever_it_looks_like(host):
    try:
        OPEN_DOOR.check(replace(ASKED, host=host))
    except (WrongHost, RequestError):
        return
    name = name_of(host)
    if name not in OPEN_DOOR.names and name != "localhost" and not name.endswith(".localhost"):
        ipaddress.ip_address(name.strip("[]"))


@pytest.mark.parametrize(
    ("changes", "comes_in"),
    [
        ({}, True),
        ({"origin": "http://localhost:5000"}, True),
        ({"origin": "https://localhost:5000"}, True),  # behind a proxy
        ({"origin": "https://ally.example", "fetch_site": "cross-site"}, True),
        ({"origin": "https://ally.example", "method": "POST"}, True),
        ({"fetch_site": "same-origin"}, True),
        ({"fetch_site": "none", "fetch_mode": "navigate"}, True),
        ({"fetch_site": "cross-site", "fetch_mode": "navigate", "path": "/"}, True),
        ({"fetch_site": "same-site", "fetch_mode": "navigate", "path": "/login"}, True),
        ({"origin": "http://localhost:5001"}, False),
        ({"origin": "http://localhost"}, False),
        ({"origin": "https://ally.example:8443"}, False),
        ({"origin": "http://ally.example"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "localhost:5000"}, False),
        ({"origin": "ftp://localhost:5000"}, False),
        ({"origin": "https://evil.example", "method": "OPTIONS", "preflight": "POST"}, False),
        ({"fetch_site": "cross-site"}, False),
        ({"fetch_site": "same-site", "fetch_mode": "no-cors"}, False),
        ({"fetch_site": "cross-site", "fetch_mode": "navigate"}, False),
        ({"fetch_site": "cross-site", "fetch_mode": "no-cors", "path": "/"}, False),
        ({"fetch_site": "cross-site", "fetch_mode": "navigate", "path": "/", "method": "POST"}, False),
    ],
)
def test_pages_of_other_sites_start_nothing(changes, comes_in):
    asked = replace(ASKED, **changes)
    if comes_in:
        OPEN_DOOR.check(asked)
    else:
        with pytest.raises(CrossSite):
            OPEN_DOOR.check(asked)


@pytest.mark.parametrize(
    ("changes", "comes_in"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, True),
        ({"authorization": f"bearer  {TOKEN}"}, True),
        ({"cookie": f"inference-5000={SESSION}"}, True),
        ({"cookie": f'theme=dark; inference-5000="{SESSION}"; x'}, True),
        ({"path": "/login"}, True),
        ({"path": "/static/login.js"}, True),
        ({"origin": "https://ally.example", "method": "OPTIONS", "preflight": "POST"}, True),
        ({}, False),
        ({"authorization": TOKEN}, False),
        ({"authorization": f"Basic {TOKEN}"}, False),
        ({"authorization": f"Bearer {TOKEN[:-1]}"}, False),
        ({"authorization": f"Bearer {TOKEN}x"}, False),
        ({"authorization": f"Bearer {SESSION}"}, False),
        ({"authorization": "Bearer "}, False),
        ({"cookie": f"inference-5000={TOKEN}"}, False),
        ({"cookie": f"inference-5001={SESSION}"}, False),
        ({"cookie": "inference-5000="}, False),
        ({"cookie": ";=;inference-5000"}, False),
        ({"origin": "https://ally.example"}, False),
        ({"method": "OPTIONS", "preflight": "POST"}, False),
        ({"path": "/"}, False),
        ({"path": "/healthz"}, False),
        ({"path": "/static/app.js"}, False),
        ({"path": "/login/"}, False),
        ({"path": "/static/../login"}, False),
    ],
)
def test_everything_but_the_login_needs_the_token(changes, comes_in):
    asked = replace(ASKED, **changes)
    OPEN_DOOR.check(asked)
    if comes_in:
        DOOR.check(asked)
    else:
        with pytest.raises(NotLoggedIn):
            DOOR.check(asked)


WORDS = st.text(max_size=40)


@given(
    st.builds(
        Asked, st.sampled_from(["GET", "POST", "OPTIONS", "X"]), WORDS, WORDS | st.just("lab"), WORDS,
        WORDS, WORDS, WORDS, WORDS, WORDS | WORDS.map("Bearer {}".format),
        WORDS | WORDS.map("inference={}".format),
    )
)  # fmt: skip
def test_nobody_guesses_a_way_in(asked):
    if asked.path in OPEN | PAGES or DOOR.lets_in(asked.origin):
        return
    with pytest.raises(InferenceError):
        DOOR.check(asked)


@given(st.text(), st.text())
def test_secrets_are_equal_if_they_are(one, other):
    assert same(one, other) == (one == other)
    assert same(one, one)


def test_secrets_are_not_shown():
    asked = replace(ASKED, authorization=f"Bearer {TOKEN}", cookie=SESSION)
    assert TOKEN not in repr((asked, DOOR)) and SESSION not in repr((asked, DOOR))


@pytest.mark.parametrize(
    ("host", "name"),
    [("a:5000", "inference-5000"), ("a", "inference"), ("[::1]:80", "inference-80"), ("[::1]", "inference")],
)
def test_each_port_has_a_cookie_of_its_own(host, name):
    assert cookie_name(host) == name


NO_ORIGIN = [
    *("*", "null", "", "example.org", "https://", "https://*.example.org", "ftp://a", "//a", "https://a/b"),
    *("https://a?b", "https://a#b", "https://me@a", "https://a:x", "https://a b", "https://a:99999"),
    *("https://a\nb", "https://[::1", "https://a,b"),
]


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Example.org", "https://example.org"),
        ("http://lab:8080/", "http://lab:8080"),
        ("HTTPS://example.org:443", "https://example.org"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://10.0.0.7:3000", "http://10.0.0.7:3000"),
        *((text, None) for text in NO_ORIGIN),
    ],
)
def test_an_origin_is_one_site_exactly(text, origin):
    if origin is None:
        with pytest.raises(ValueError, match="no origin"):
            origin_in(text)
    else:
        assert origin_in(text) == origin


@pytest.mark.parametrize("text", ["", "*", "a:80", "a b", "http://a", "a/b", "-a", "a..b", "a" * 64])
def test_an_allowed_host_is_a_name(text):
    with pytest.raises(ValueError, match="no host"):
        host_in(text)
    assert host_in("Lab.Example.org.") == "lab.example.org"


def test_loopback_and_wildcards_are_told_from_other_hosts():
    loopback = ("127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST")
    wildcards = ("0.0.0.0", "::", "")  # noqa: S104
    others = ("192.168.1.7", "lab", "localhost.evil.example", "2001:db8::1", "127.0.0.1.evil.example")
    assert [is_loopback(host) for host in (*loopback, *wildcards, *others)] == [True] * 5 + [False] * 8
    assert [is_wildcard(host) for host in (*wildcards, *loopback, *others)] == [True] * 3 + [False] * 10
