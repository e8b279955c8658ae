"""Who may come in, over real sockets: token and cookie, host, other sites; and what every answer carries."""

import httpx
import pytest

import app as web
from inference.admission import OPEN
from inference.settings import Settings
from tests.kit import raw
from tests.kit.waiting import wait_until
from tests.server.guarded import ALLY, TOKEN, guarded

QUERY = {"video_name": "a.avi", "model_name": "m.number", "stop": 1}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture(scope="module")
def door(site):
    """A server that asks for a token."""
    with guarded(site) as server:
        yield server


@pytest.fixture
def client(door):
    with httpx.Client(base_url=door.address, timeout=30) as client:
        yield client


def routes(site):
    """Every address of the app with its methods, as Flask has them."""
    for rule in web.create_app(Settings(runs=site.folder / "runs"), site.pipeline).url_map.iter_rules():
        path = rule.rule.replace("<run_id>", "abcdefgh").replace("<path:filename>", "app.js")
        yield from ((path, method) for method in rule.methods or ())


def test_nothing_but_the_login_is_answered_without_the_token(site, door, client):
    asked = [(path, method) for path, method in routes(site) if path not in OPEN]
    assert len(asked) > 25
    for path, method in [*asked, ("/nope", "GET")]:
        response = client.request(method, path)
        assert response.status_code == 401, (path, method)
        assert response.headers["www-authenticate"] == "Bearer"
        assert method == "HEAD" or "/login" in response.json()["error"]
    for path in ("/static/../login", "/static/..%2flogin", "//healthz", "http://localhost/healthz"):
        assert raw.get(door.address, path).status == 401, path
    for path in OPEN:
        assert client.get(path).status_code == 200, path


def test_the_token_lets_in_and_a_wrong_one_does_not(client, door):
    assert client.get("/runs", headers=BEARER).status_code == 200
    with httpx.stream("GET", f"{door.address}generate_predictions", params=QUERY, headers=BEARER) as stream:
        assert "event: done" in "".join(stream.iter_text())
    for wrong in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN, f"Basic {TOKEN}", "Bearer"):
        assert client.get("/runs", headers={"Authorization": wrong}).status_code == 401
    for elsewhere in (f"/runs?token={TOKEN}", f"/runs?access_token={TOKEN}"):
        assert client.get(elsewhere).status_code == 401


@pytest.mark.parametrize("how", [{"json": {"token": TOKEN}}, {"data": {"token": TOKEN}}])
def test_a_login_is_a_cookie_that_does_not_tell_the_token(client, how):
    response = client.post("/login?video=a.avi", **how)
    assert (response.status_code, response.headers.get("location")) in [(204, None), (303, "/?video=a.avi")]
    cookie = response.headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie and "Domain" not in cookie and "Expires" not in cookie
    assert client.get("/runs").status_code == 200


def test_a_login_over_https_is_a_cookie_for_https_alone(client, door):
    port = door.address.rsplit(":", 1)[1].rstrip("/")
    headers = {"Host": f"lab.example.org:{port}", "Origin": f"https://lab.example.org:{port}"}
    cookie = client.post("/login", json={"token": TOKEN}, headers=headers).headers["set-cookie"]
    assert "Secure" in cookie.split("; ")


def test_a_wrong_token_is_said_to_the_script_and_to_the_form(client):
    by_script = client.post("/login", json={"token": "wrong"})
    assert by_script.status_code == 401 and "not the token" in by_script.json()["error"]
    by_form = client.post("/login", data={"token": "wrong"})
    assert by_form.status_code == 401 and "not the token" in by_form.text and "<form" in by_form.text
    odd = client.post("/login", content=rb'{"token": "\ud800"}', headers={"Content-Type": "application/json"})
    assert odd.status_code == 401
    assert not client.cookies


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"{}", b'{"token": 7}', b'{"token": null}', b"\xff", b"[" * 60_000],
    ids=lambda body: repr(body[:20]),
)
def test_a_login_that_makes_no_sense_is_a_sentence(client, body):
    response = client.post("/login", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]


def test_a_cookie_is_good_for_one_start_of_the_program_only(site, client):
    client.post("/login", json={"token": TOKEN})
    with guarded(site) as started_anew:
        assert httpx.get(f"{started_anew.address}runs", cookies=dict(client.cookies)).status_code == 401


def test_a_browser_is_led_to_the_login_and_keeps_its_place(client):
    response = client.get("/?video=a.avi&frame=7", headers=BROWSER)
    assert (response.status_code, response.headers["location"]) == (303, "/login?video=a.avi&frame=7")
    response = client.get("/text?seed=a%20b", headers=BROWSER)
    assert response.headers["location"] == "/login?seed=a%20b&page=text"
    assert client.get("/login", headers=BROWSER).status_code == 200
    assert client.post("/videos", headers=BROWSER).status_code == 401


@pytest.mark.parametrize(
    ("page", "leads_to"), [("text", "/text"), ("docs", "/docs"), ("/evil.example", "/"), ("login", "/")]
)
def test_a_login_leads_on_to_pages_of_this_site_alone(client, page, leads_to):
    response = client.post(f"/login?page={page}", data={"token": TOKEN})
    assert (response.status_code, response.headers["location"]) == (303, f"{leads_to}?page={page}")


def test_without_a_token_there_is_no_login(site):
    assert httpx.get(f"{site.address}login").headers["location"] == "/"
    assert "set-cookie" not in httpx.post(f"{site.address}login", json={"token": "any"}).headers
    with pytest.raises(ValueError, match="token"):
        web.create_app(Settings(host="192.0.2.1"), site.pipeline)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((host, 200) for host in ("localhost", "127.0.0.1:5000", "[::1]:5000", "lab.example.org")),
        *((host, 421) for host in ("evil.example", "lab.example.org.evil.example", "[::]")),
        *((host, 400) for host in (None, "", "a b", "localhost\r\nHost: localhost", "[::1")),
    ],
)  # fmt: skip
def test_only_known_hosts_are_served(door, host, status):
    answer = raw.get(door.address, "/static/style.css", host=host)
    assert answer.status == status
    if status != 200:
        assert ("--allow-host" in answer.error) == (status == 421)
    assert raw.send(door.address, b"GET /static/style.css HTTP/1.0\r\n\r\n").status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{ALLY}:8443"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_another_sites_page_cannot_start_work(site, client, headers):
    wait_until(lambda: site.pipeline.active_runs == 0, 10)
    for address in (site.address, client.base_url):
        response = httpx.get(f"{address}generate_predictions", params=QUERY, headers={**BEARER, **headers})
        assert response.status_code == 403
        assert "site" in response.json()["error"]
        assert "access-control-allow-origin" not in response.headers
    assert site.pipeline.active_runs == 0


def test_an_allowed_site_may_ask_and_read(client):
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = client.options("/videos", headers={"Origin": ALLY, **asking})
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert {"GET", "POST", "DELETE"} <= set(preflight.headers["access-control-allow-methods"].split(", "))
    allowed = preflight.headers["access-control-allow-headers"].split(", ")
    assert {"Authorization", "Content-Type", "Last-Event-ID"} <= set(allowed)
    assert int(preflight.headers["access-control-max-age"]) > 0
    for answer in (preflight, client.get("/runs", headers={"Origin": ALLY, **BEARER}),
                   client.get("/runs", headers={"Origin": ALLY})):  # fmt: skip
        assert answer.headers["access-control-allow-origin"] == ALLY
        assert answer.headers["vary"] == "Origin"
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
    own = client.get("/runs", headers=BEARER)
    assert "access-control-allow-origin" not in own.headers and own.headers["vary"] == "Origin"
    foreign = client.options("/videos", headers={"Origin": "https://evil.example", **asking})
    assert foreign.status_code == 403 and "access-control-allow-origin" not in foreign.headers


def check_headers(headers):
    assert {name: headers.get(name) for name in SECURITY} == SECURITY
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["form-action"] == "'self'"
    assert "cache-control" in headers and "server" not in headers


def test_every_answer_has_the_security_headers(site, client, door):
    statuses = set()
    for path, method in [
        *routes(site),
        ("/nope", "GET"),
        ("/login", "PUT"),
        ("/runs?x=" + "x" * 1001, "GET"),
    ]:
        if (path, method) != ("/runs/<run_id>", "DELETE"):
            response = client.request(method, path, headers=BEARER)
            statuses.add(response.status_code)
            check_headers(response.headers)
    garbage = [b"\r\n\r\n\r\nnonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
               b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 17_000 + b"\r\n\r\n",
               b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"]  # fmt: skip
    for sent in garbage:
        answer = raw.send(door.address, sent)
        statuses.add(answer.status)
        check_headers(answer.headers)
        assert answer.error and answer.headers["content-type"] == "application/json"
    assert {200, 400, 404, 405, 431, 501} <= statuses


def test_answers_are_not_kept_by_caches_but_what_never_changes_is(client):
    assert client.get("/runs", headers=BEARER).headers["cache-control"] == "no-store"
    assert client.get("/runs").headers["cache-control"] == "no-store"
    assert client.get("/static/style.css").headers["cache-control"] == "no-cache"
    assert "max-age" in client.get("/plotly.min.js", headers=BEARER).headers["cache-control"]
