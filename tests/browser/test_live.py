"""The page on a real network camera: every frame at once, no way back, and a camera that goes and comes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import app as web
from inference.catalog import Catalog
from inference.pipeline import Pipeline
from inference.settings import Settings, Source
from tests.browser.conftest import PHONE
from tests.browser.test_page import button, settled, until, wait
from tests.kit import barcode
from tests.kit.mjpeg import MjpegServer
from tests.kit.predictors import KINDS


@dataclasses.dataclass
class LiveSite:
    """A server with one camera, and a file beside it."""

    address: str
    camera: MjpegServer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    folder: Path = tmp_path_factory.mktemp("live-page")
    barcode.write(folder / "a.avi", 30)
    (folder / "m.slow").write_text("seconds=0.05")
    with MjpegServer(rate=30, width=320, height=240) as camera:
        sources = (Source("stream:yard", camera.url),)
        settings = Settings(
            data=folder, models=folder, runs=folder / "runs", kinds=KINDS, n_servers=1, sources=sources
        )
        listener = web.listen("127.0.0.1", 0)
        with Pipeline(settings) as pipeline:
            pipeline.start([Catalog(folder, folder, KINDS).model("m.slow")])
            server = web.Server(web.create_app(settings, pipeline), listener)
            yield LiveSite(web.address_of(listener), camera)
            pipeline.close()
            server.close()


def shown(page: Page, name: str) -> str:
    return page.locator(f"#{name}").inner_text()


@pytest.mark.parametrize("viewport", [None, PHONE])
def test_a_camera_is_watched_paused_lost_and_found(open_page, site, viewport):
    page = open_page(site.address, color_scheme="dark", **({"viewport": viewport} if viewport else {}))
    chooser = page.get_by_label("Video", exact=True)
    assert chooser.locator("option").all_text_contents() == ["a.avi", "stream yard (live)"]
    expect(page.get_by_label("Seek")).to_be_visible()
    chooser.select_option("stream:yard")
    for gone in ("Seek", "Frame", "Speed", "One frame forward"):
        expect(page.get_by_label(gone, exact=True)).to_be_hidden()
    assert "stream yard (live)" in shown(page, "lead")

    button(page, "Start").click()
    wait(page, "viewer.drawn >= 15")
    wait(page, "/^[0-9.]+ ms$/.test(document.getElementById('delay').textContent)")
    wait(page, "/^[1-9][0-9]* frames$/.test(document.getElementById('dropped').textContent)")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("viewer.state") == "playing"

    button(page, "Pause").click()
    until(lambda: site.camera.clients == 0)
    before = settled(page, "viewer.frameIdx")
    button(page, "Resume").click()
    wait(page, f"viewer.state === 'playing' && viewer.frameIdx > {before} + 5")
    assert site.camera.clients == 1

    site.camera.stop()
    expect(page.locator("#notice")).to_contain_text("stream:yard was lost. It is opened again in")
    assert page.evaluate("viewer.state") == "playing"
    lost_at = settled(page, "viewer.frameIdx")
    site.camera.start()
    wait(page, f"viewer.frameIdx > {lost_at} + 5")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "frame=" not in page.url

    button(page, "Stop").click()
    until(lambda: site.camera.clients == 0)
    chooser.select_option("a.avi")
    expect(page.get_by_label("Seek")).to_be_visible()
    button(page, "Start").click()
    wait(page, "viewer.state === 'done'")
