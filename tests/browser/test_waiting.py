"""The page when it cannot get through: a server that is full, a browser that has no connection left."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import LIMIT
from tests.browser.replay_server import FULL, RETRY_AFTER, ReplayServer
from tests.browser.test_page import button, until, wait

MOST_CONNECTIONS = 6
"""As many a browser opens to one server, by HTTP/1.1."""


@pytest.fixture
def page(open_page, server: ReplayServer) -> Page:
    return open_page(server.url)


def start_on_a_full_server(page: Page) -> None:
    page.get_by_label("Video", exact=True).select_option("full.mp4")
    button(page, "Start").click()
    expect(page.locator("#waiting")).to_contain_text(
        f"{FULL} Trying again in {RETRY_AFTER} s.", timeout=LIMIT
    )


def test_a_full_server_is_asked_again_when_it_said(page, server):
    start_on_a_full_server(page)
    expect(page.locator("#error")).to_be_hidden()
    until(lambda: len(server.streams) >= 2)
    first, second = (stream.ended for stream in server.streams[:2])
    assert RETRY_AFTER - 0.5 < second - first < RETRY_AFTER + 5
    server.release.set()
    wait(page, "viewer.drawn >= 5")
    expect(page.locator("#notice")).to_be_empty()


def test_stop_ends_the_asking(page, server):
    start_on_a_full_server(page)
    button(page, "Stop").click()
    wait(page, "viewer.state === 'idle'")
    expect(page.locator("#notice")).to_be_empty()
    asked = len(server.streams)
    page.wait_for_timeout(1000 * RETRY_AFTER + 500)
    assert len(server.streams) == asked


def test_a_page_that_its_browser_has_no_connection_for_says_so(open_page, server):
    first = open_page(server.url)
    pages = [first, *(open_page(server.url, beside=first) for _ in range(MOST_CONNECTIONS))]
    *others, last = pages
    for open_before, other in enumerate(others):
        other.bring_to_front()
        other.get_by_label("Video", exact=True).select_option("loading.mp4")  # open for as long as it takes
        button(other, "Start").click()
        expect(other.locator("#waiting")).to_contain_text("Loading")
        assert len(server.streams) == open_before + 1
    last.bring_to_front()
    last.get_by_label("Video", exact=True).select_option("dots.mp4")
    button(last, "Start").click()
    says = last.get_by_text("No answer yet. A browser opens at most six connections to one server")
    expect(says).to_be_visible(timeout=LIMIT)
    assert not [stream for stream in server.streams if stream.query["video_name"] == "dots.mp4"]
    button(others[0], "Stop").click()
    wait(last, "viewer.drawn >= 5")
    expect(says).to_be_hidden()
