"""Names as no client library would send them: none leads to a file outside, none fails the server."""

import pytest

from tests.kit import raw

SECRET = b"nobody outside may read this"
TRICKS = [
    *("../secret.mp4", "..%2fsecret.mp4", "%2e%2e/secret.mp4", "%2e%2e%2fsecret.mp4", "..%252fsecret.mp4"),
    *(
        "....//secret.mp4",
        "./../secret.mp4",
        "a/../../secret.mp4",
        "a.avi/../../secret.mp4",
        "..;/secret.mp4",
    ),
    *("..\\secret.mp4", "..%5csecret.mp4", "%2e%2e%5csecret.mp4", "..%5c..%5csecret.mp4"),
    *("%00", "secret.mp4%00", "a.avi%00.mp4", "%00../secret.mp4", "..%00/secret.mp4", "a%0d%0aX:%20y.mp4"),
    *("/etc/passwd", "%2fetc%2fpasswd", "//etc/passwd", "file:///etc/passwd", "~/secret.mp4", "C:secret.mp4"),
    *("C:%5csecret.mp4", "C:/secret.mp4", "%5c%5chost%5cshare", "NUL", "NUL.mp4", "CON", "aux.mp4", "LPT1"),
    *("a.avi::$DATA", "a.avi.", "a.avi%20", "A.AVI", "secret.mp4%3f", "%c0%ae%c0%ae/secret.mp4"),
    *("%ff%fe", "%ed%a0%80", "%f0%9f%aa%b0", "%e2%80%ae4pm.mp4", ".", "..", "%2e", "", "%20", "*", "?"),
    *("a" * 300, "%c3%a4" * 300, "a/" * 200, "../" * 100 + "etc/passwd", "link.mp4", "link-secret", "%s%n"),
    *("a" * 300 + ".mp4", "%e6%bc%a2" * 150 + ".mp4", "%e6%bc%a2" * 150 + ".mp4", ".mp4", "..mp4", "%2f.mp4"),
]
ROUTES = [
    "GET /generate_predictions?model_name=m.number&stop=1&video_name=",
    "GET /generate_predictions?video_name=a.avi&stop=1&model_name=",
    "GET /generate_predictions?video_name=a.avi&model_name=m.number&stop=1&compare=",
    "GET /generate_predictions?video_name=a.avi&model_name=m.number&stop=1&run_id=",
    "GET /runs/",
    "DELETE /runs/",
    "GET /runs/{}/export?format=csv",
    "GET /runs/{}/export/progress?format=csv",
    "GET /runs/abcdefgh/export?format=",
    "GET /static/",
    "GET /",
    "POST /videos?name=",
]


@pytest.fixture(scope="module")
def outside(site):
    """Files outside of the folders, and links to them inside."""
    secret = site.folder.parent / "secret.mp4"
    secret.write_bytes(SECRET)
    for name in ("link.mp4", "link.number"):
        (site.folder / name).symlink_to(secret)
    runs = site.folder / "runs"
    runs.mkdir(exist_ok=True)
    journal = site.folder.parent / "outside.journal"
    site.stream(video_name="a.avi", model_name="m.number", stop=2, run_id="a-run-to-move")
    (kept,) = runs.glob("a-run-to-move*")
    journal.write_bytes(kept.read_bytes())
    (runs / f"link-secret{kept.suffix}").symlink_to(journal)
    yield [secret, journal]
    for name in ("link.mp4", "link.number", f"runs/link-secret{kept.suffix}"):
        (site.folder / name).unlink(missing_ok=True)


@pytest.mark.parametrize("route", ROUTES)
def test_no_name_leads_outside(site, outside, route):
    here = str(site.folder.parent)
    before = {path: path.read_bytes() for path in outside}
    names = {path.name for path in site.folder.parent.iterdir()}
    for trick in TRICKS:
        method, _, start = route.partition(" ")
        path = start.format(trick) if "{}" in start else start + trick
        path = path.replace(" ", "%20")
        sent = b"\0video" if method == "POST" else b""
        headers = [f"Content-Length: {len(sent)}", "Content-Type: application/octet-stream"] if sent else []
        head = "\r\n".join(
            [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
        )
        answer = raw.send(site.address, head.encode() + sent)
        said = answer.body + repr(answer.headers).encode()
        assert answer.status < 500, (path, said[:300])
        assert SECRET not in said and b"root:" not in said, path
        assert here.encode() not in said and b"Traceback" not in said, path
        if answer.status >= 400:
            assert answer.error, path
    assert {path: path.read_bytes() for path in outside} == before
    assert {path.name for path in site.folder.parent.iterdir()} == names
    for uploaded in site.folder.glob("*"):
        if uploaded.is_file() and not uploaded.is_symlink() and uploaded.read_bytes() == b"\0video":
            uploaded.unlink()


def test_links_that_lead_outside_are_not_there(site, outside):
    path = "/generate_predictions?model_name=m.number&stop=1&video_name=link.mp4"
    assert raw.get(site.address, path).status == 404
    for method, path in (("GET", "/runs/link-secret/export?format=csv"), ("DELETE", "/runs/link-secret")):
        assert raw.get(site.address, path, method=method).status == 404, (method, path)
    again = "/generate_predictions?video_name=a.avi&model_name=m.number&stop=3&run_id=link-secret"
    assert raw.get(site.address, again).status == 409
    assert b"link-secret" not in raw.get(site.address, "/runs").body
    assert b"link" not in raw.get(site.address, "/get_available_videos").body
