"""A real Chromium for the page's tests. Where there is none, they are skipped and the summary says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.chromium import ARGUMENTS, NoChromium, find_chromium
from tests.browser.replay_server import ReplayServer

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
LIMIT = 30_000
"""Milliseconds to wait for a condition; a busy machine may be slow, never wrong."""

_missing: list[str] = []


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that can be started."""
    try:
        return find_chromium()
    except NoChromium as error:
        _missing.append(str(error))
        pytest.skip(f"the browser tests did not run: {error}")


def pytest_terminal_summary(terminalreporter) -> None:
    if _missing:
        terminalreporter.write_line(f"THE BROWSER TESTS DID NOT RUN: {_missing[0]}", red=True)


# For a module, not for the session: while Playwright runs, no other test could run an event loop.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages in contexts of their own, or `beside` another; what goes wrong in one fails the test."""
    contexts = []
    wrong: list[str] = []

    def open_page(url: str, beside: Page | None = None, **options) -> Page:
        if beside is None:
            contexts.append(browser.new_context(**{"viewport": DESKTOP, **options}))
        page = (beside.context if beside else contexts[-1]).new_page()
        page.set_default_timeout(LIMIT)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if is_mistake(said) else None)
        page.goto(url)
        wait_for_page(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong, "the page's console said: " + "; ".join(wrong)


def wait_for_page(page: Page) -> None:
    """Wait until the page runs and its lists have come."""
    expect(page.locator("#model option").first).to_be_attached(timeout=LIMIT)


def is_mistake(said) -> bool:
    """Whether a line of the console is an error of ours: an answer like 404 is one of the browser's own."""
    return said.type == "error" and not said.text.startswith("Failed to load resource")


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        yield server
