"""Videos sent here over HTTP: what is taken, under which name, and what is refused."""

from __future__ import annotations

import io
import os
import resource
import sys

import httpx
import pytest

from inference.errors import NotStored
from inference.web import uploads
from inference.web.uploads import store
from tests.kit import films, holdings
from tests.kit.program import Program
from tests.kit.waiting import wait_until


def upload(site, name, content, **headers):
    return httpx.post(
        f"{site.address}videos", params={"name": name}, content=content,
        headers={"Content-Type": "application/octet-stream", **headers}, timeout=30,
    )  # fmt: skip


def test_a_video_is_uploaded_under_a_name_of_its_own(site):
    content = (site.folder / "a.avi").read_bytes()
    first, again = upload(site, "sent.avi", content), upload(site, "sent.avi", content)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.json(), again.json()) == ({"video_name": "sent.avi"}, {"video_name": "sent-2.avi"})
    assert (site.folder / "sent-2.avi").read_bytes() == content
    assert "sent.avi" in httpx.get(f"{site.address}get_available_videos").json()
    assert site.stream(video_name="sent-2.avi", model_name="m.number")[-1][2] == {"frames": 100}
    assert not list(site.folder.glob(".upload-*"))
    for name in ("sent.avi", "sent-2.avi"):
        (site.folder / name).unlink()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/clip.avi", "clip.avi"),
        ("C:\\videos\\clip.avi", "clip.avi"),
        (".hidden.avi", "hidden.avi"),
        ("what\x00ever\n?.avi", "what_ever__.avi"),
        ("x" * 500 + ".avi", "x" * 120 + ".avi"),
        ("fliege ♀.AVI", "fliege _.AVI"),
    ],
)
def test_a_name_leads_nowhere_else(site, name, kept):
    response = upload(site, name, b"\0abc")
    assert response.json() == {"video_name": kept}
    (site.folder / kept).unlink()


@pytest.mark.parametrize("name", ["", "notes.txt", ".avi", "../", "clip.avi/"])
def test_what_has_no_videos_name_is_refused(site, name):
    response = upload(site, name, b"\0abc")
    if name == "clip.avi/":  # a folder's name is cut off
        (site.folder / "clip.avi").unlink()
        assert response.status_code == 201
        return
    assert response.status_code == 400 and "no video's name" in response.json()["error"]


def test_another_sites_page_cannot_send_one(site):
    response = upload(site, "clip.avi", b"abc", **{"Content-Type": "text/plain"})
    assert response.status_code == 400
    assert "Access-Control-Allow-Origin" not in response.headers


def test_an_upload_over_the_limit_is_refused(site):
    limit = httpx.get(f"{site.address}limits").json()["upload_bytes"]
    assert limit == 1_000_000
    response = upload(site, "big.avi", b"x" * (limit + 1))
    assert response.status_code == 413 and "1.0 MB are taken" in response.json()["error"]
    assert not (site.folder / "big.avi").exists()
    assert upload(site, "empty.avi", b"").status_code == 400


TEXT = "A recording that could not be found: 404.\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TEXT.encode(), id="short"),
        pytest.param(TEXT.encode() * 5000, id="long"),
        pytest.param("Größe\t3 µm\r\n".encode("latin-1") * 50, id="not UTF-8"),
        pytest.param(TEXT.encode("utf-16"), id="UTF-16"),
        pytest.param(b"#EXTM3U\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n", id="a list of videos"),
    ],
)
def test_a_text_is_no_video_whatever_it_is_called(site, text):
    response = upload(site, "not-found.mp4", text)
    assert response.status_code == 400 and "not-found.mp4 holds text" in response.json()["error"]
    check_nothing_is_kept(site, "not-found.mp4")


def check_nothing_is_kept(site, name):
    assert name not in httpx.get(f"{site.address}get_available_videos").json()
    assert not list(site.folder.glob(".upload-*"))


def test_half_a_video_is_refused_where_nothing_can_be_found_in_it(site, tmp_path):
    half = films.cut(tmp_path / "half.mp4").read_bytes()
    response = upload(site, "half.mp4", half)
    assert response.status_code == 400 and "half.mp4 has no table of contents" in response.json()["error"]
    check_nothing_is_kept(site, "half.mp4")


@pytest.mark.parametrize(
    "suffix", [".avi", ".flv", ".mkv", ".mpg", ".ts", ".webm", ".wmv", ".ogv", ".mxf", ".nut"]
)
def test_half_a_video_is_taken_of_a_kind_that_needs_no_second(tmp_path, suffix):
    codec = {
        ".webm": films.VP8,
        ".ogv": ("-c:v", "libtheora"),
        ".mxf": ("-c:v", "mpeg2video"),
        ".flv": films.H264,
    }
    film = films.constant_rate(tmp_path / f"half{suffix}", 30, codec.get(suffix, films.MPEG4))
    check_taken(tmp_path, film.read_bytes()[: film.stat().st_size // 2], film.name)


def check_taken(folder, content, name):
    kept = folder / store(io.BytesIO(content), len(content), folder, name)
    assert kept.read_bytes() == content
    kept.unlink()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".3gp", ".m2v", ".mjpeg", ".ivf", ".y4m", ".swf", ".wtv"])
def test_a_video_of_any_kind_is_taken(tmp_path, suffix):
    codec = {
        ".ivf": films.VP8,
        ".y4m": (),
        ".m2v": (),
        ".mjpeg": (),
        ".swf": (),
        ".wtv": ("-c:v", "mpeg2video"),
    }
    film = films.constant_rate(tmp_path / f"whole{suffix}", 30, codec.get(suffix, films.H264))
    check_taken(tmp_path, film.read_bytes(), film.name)


def test_a_picture_whose_every_byte_could_be_a_letter_is_no_text(tmp_path):
    frames = b"FRAME\n" + b"A" * 96
    check_taken(tmp_path, b"YUV4MPEG2 W8 H8 F30:1 C420jpeg\n" + frames, "letters.y4m")


def test_a_film_written_in_fragments_has_its_contents(tmp_path):
    film = films.fragmented(tmp_path / "fragments.mp4")
    check_taken(tmp_path, film.read_bytes()[: film.stat().st_size // 2], "half.mp4")


def test_a_disk_without_hard_links_takes_videos_and_replaces_none(tmp_path, monkeypatch):
    def refuse(*paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(uploads.os, "link", refuse)
    names = [store(io.BytesIO(content), 3, tmp_path, "a.mp4") for content in (b"\x001.", b"\x002.")]
    assert names == ["a.mp4", "a-2.mp4"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.mp4": b"\x001.", "a-2.mp4": b"\x002."
    }  # fmt: skip


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    said = r"a\.mp4 could not be written .*: Not a directory\. See to it"
    with pytest.raises(NotStored, match=said) as raised:
        store(io.BytesIO(b"\0"), 1, tmp_path / "file", "a.mp4")
    assert str(tmp_path) not in str(raised.value)


@pytest.fixture
def program(tmp_path):
    started = Program("--data", str(tmp_path), "--models", str(tmp_path), "--port", "0", "-n_servers", "1")
    yield started
    started.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process is Linux's")
def test_a_full_disk_is_said_and_room_is_enough_to_go_on(program, tmp_path):
    site, pid = program, program.process.pid
    before = holdings.hidden(pid)
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (100_000, unlimited[1]))
    for size, where in ((200_000, "data folder"), (5_000_000, "temporary files")):
        response = upload(site, "sent.mp4", os.urandom(size))
        assert response.status_code == 507
        said = response.json()["error"]
        assert where in said and "File too large. Make room" in said and str(tmp_path) not in said
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Connection"] == "close"
    assert in_chunks(site, os.urandom(5_000_000)).status_code == 507
    wait_until(lambda: holdings.hidden(pid) == before, 10)
    assert not list(tmp_path.iterdir())
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    assert upload(site, "sent.mp4", os.urandom(5_000_000)).status_code == 201


def in_chunks(site, content):
    parts = (content[at : at + 70_000] for at in range(0, len(content), 70_000))
    return upload(site, "sent.mp4", parts)
