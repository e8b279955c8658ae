"""Uploads from the page in real Chromium to the real program: what it refuses is said on the page."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LIMIT
from tests.kit import barcode, films
from tests.kit.program import Program


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and models both."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def program(folder: Path) -> Iterator[Program]:
    """The program on a video and a model, since a page without any says so."""
    barcode.write(folder / "a.avi", 5)
    (folder / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    running = Program("--data", str(folder), "--models", str(folder), "--port", "0", "-n_servers", "1")
    yield running
    running.kill()


@pytest.fixture
def page(open_page, program):
    return open_page(program.address)


def send(page, name: str, content: bytes) -> None:
    page.set_input_files("#upload-file", {"name": name, "mimeType": "video/mp4", "buffer": content})


def test_a_text_and_half_a_video_are_refused_and_not_listed(page, folder, tmp_path):
    half = films.cut(tmp_path / "half.mp4").read_bytes()
    for name, content, said in (
        ("text.mp4", b"text", "text.mp4 holds text"),
        ("half.mp4", half, "half.mp4 has no table of contents"),
    ):
        send(page, name, content)
        expect(page.get_by_role("alert")).to_contain_text(said)
        expect(page.locator("#upload")).to_be_hidden()
    assert page.locator("#video option").all_text_contents() == ["a.avi"]
    assert {path.name for path in folder.iterdir()} == {"a.avi", "model.h5"}


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process is Linux's")
@pytest.mark.parametrize(("size", "said"), [(200_000, "data folder"), (5_000_000, "temporary files")])
def test_a_disk_without_room_is_said_on_the_page(page, program, size, said):
    pid = program.process.pid
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (100_000, unlimited[1]))
    try:
        send(page, "large.mp4", os.urandom(size))
        expect(page.get_by_role("alert")).to_contain_text(said, timeout=LIMIT)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
