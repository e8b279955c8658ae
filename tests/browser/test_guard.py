"""Logging in, and what the content security policy lets the page do, in real Chromium on the real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import app as web
from inference.catalog import Catalog
from inference.pipeline import Pipeline
from inference.settings import Settings
from tests.browser.conftest import DESKTOP, LIMIT, PHONE, is_mistake, wait_for_page
from tests.browser.test_page import button, pause, wait
from tests.kit import barcode
from tests.kit.predictors import KINDS

TOKEN = "a-token-for-tests"  # noqa: S105


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that asks for a token."""
    folder: Path = tmp_path_factory.mktemp("door")
    barcode.write(folder / "a.avi", 60)
    (folder / "m.slow").write_text("seconds=0.02")
    settings = Settings(
        data=folder, models=folder, runs=folder / "runs", kinds=KINDS, n_servers=1, token=TOKEN
    )
    listener = web.listen("127.0.0.1", 0)
    with Pipeline(settings) as pipeline:
        pipeline.start([Catalog(folder, folder, KINDS).model("m.slow")])
        server = web.Server(web.create_app(settings, pipeline), listener)
        yield web.address_of(listener)
        pipeline.close()
        server.close()


@dataclass
class Window:
    """A browser window, with what its console held against the pages in it."""

    page: Page
    wrong: list[str] = field(default_factory=list)


@pytest.fixture
def new_window(browser: Browser) -> Iterator[Callable[..., Window]]:
    windows = []

    def new_window(**options) -> Window:
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        window = Window(context.new_page())
        window.page.set_default_timeout(LIMIT)
        window.page.on("pageerror", lambda error: window.wrong.append(str(error)))
        window.page.on("console", lambda said: window.wrong.append(said.text) if is_mistake(said) else None)
        windows.append(window)
        return window

    yield new_window
    for window in windows:
        window.page.context.close()
    assert [window.wrong for window in windows] == [[]] * len(windows)


@pytest.mark.parametrize(("viewport", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_a_wrong_token_is_said_and_the_right_one_leads_to_the_place_that_was_asked_for(
    new_window, address, viewport, scheme
):
    page = new_window(viewport=viewport, color_scheme=scheme).page
    page.goto(f"{address}?video=a.avi&frame=7")
    page.wait_for_url("**/login?video=a.avi&frame=7")
    field = page.get_by_label("Token")
    expect(field).to_be_focused()
    assert field.get_attribute("type") == "password"
    assert field.get_attribute("autocomplete") == "current-password"
    field.fill("wrong")
    button(page, "Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not the token")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    field.fill(TOKEN)
    field.press("Enter")
    wait_for_page(page)
    assert page.url.startswith(f"{address}?") and "frame=7" in page.url
    assert TOKEN not in page.evaluate("document.cookie + document.documentElement.outerHTML + location.href")


def test_without_scripts_the_form_does_the_same(new_window, address):
    page = new_window(java_script_enabled=False).page
    page.goto(f"{address}?video=a.avi")
    page.get_by_label("Token").fill("wrong")
    button(page, "Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not the token")
    page.get_by_label("Token").fill(TOKEN)
    button(page, "Log in").click()
    expect(page.get_by_role("heading")).to_have_text("Interactive model inference")
    assert page.url == f"{address}?video=a.avi"


def test_the_address_with_the_token_logs_in_and_keeps_it_from_the_history(new_window, address):
    page = new_window().page
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}login#token={TOKEN}")
    wait_for_page(page)
    assert TOKEN not in page.url
    page.go_back()
    assert TOKEN not in page.url
    assert not [url for url in asked[1:] if TOKEN in url]


def test_who_is_logged_in_already_is_led_on_from_the_login(new_window, address):
    page = new_window().page
    page.goto(f"{address}login#token={TOKEN}")
    wait_for_page(page)
    page.goto(f"{address}login?video=a.avi")
    wait_for_page(page)
    assert page.url.startswith(f"{address}?video=a.avi")


def test_a_login_leads_back_to_the_text_page(new_window, address):
    page = new_window().page
    page.goto(f"{address}text?seed=One%20two&length=7")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_label("Token").press("Enter")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("One two")
    expect(page.get_by_label("Length", exact=True)).to_have_value("7")


def test_a_page_that_is_not_let_in_any_more_says_so_and_leads_to_the_login(new_window, address):
    page = new_window().page
    page.goto(f"{address}login?video=a.avi#token={TOKEN}")
    wait_for_page(page)
    expect(page.locator("#logged-out")).to_be_hidden()
    (cookie,) = page.context.cookies()
    page.context.add_cookies([{**cookie, "value": "of an earlier start of the program"}])
    button(page, "Start").click()
    expect(page.locator("#logged-out")).to_contain_text("not logged in any more")
    expect(page.locator("#error")).to_contain_text("Log in first")
    expect(page.locator("#health")).to_have_text("Logged out")
    page.get_by_role("link", name="Log in").click()
    page.get_by_label("Token").fill(TOKEN)
    button(page, "Log in").click()
    wait_for_page(page)
    expect(page.locator("#logged-out")).to_be_hidden()
    assert "video=a.avi" in page.url


VIOLATIONS = """
  window.violations = []
  addEventListener('securitypolicyviolation', (event) =>
    violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`))
"""


def test_the_page_keeps_to_its_policy_and_a_script_that_is_slipped_in_does_not_run(new_window, address):
    window = new_window()
    page = window.page
    page.add_init_script(VIOLATIONS)
    page.goto(f"{address}login#token={TOKEN}")
    wait_for_page(page)
    page.get_by_label("Speed", exact=True).select_option("1")
    button(page, "Start").click()
    wait(page, "viewer.drawn >= 5")
    pause(page)
    button(page, "Zoom in").click()
    button(page, "One frame back").click()
    page.locator("#chart").hover(position={"x": 60, "y": 40})
    expect(page.locator("#tip")).to_be_visible()
    button(page, "Show the whole frame").click()
    page.locator("#runs-panel summary").click()
    expect(page.locator("#runs li").first).to_be_visible()
    button(page, "Light or dark").click()
    assert page.evaluate("violations") == []

    page.evaluate(
        """() => {
          window.ran = []
          document.body.insertAdjacentHTML('beforeend', `<img src="data:," onerror="ran.push('handler')">`)
          const script = document.createElement('script')
          script.textContent = "ran.push('inline')"
          document.body.append(script)
          const other = document.createElement('script')
          other.src = 'data:text/javascript,ran.push("data")'
          document.body.append(other)
          setTimeout(() => {
            try { new Function("ran.push('eval')")() } catch { /* as it should be */ }
          })
        }"""
    )
    wait(page, "violations.filter((one) => one.startsWith('script-src')).length >= 4")
    assert page.evaluate("ran") == []
    window.wrong.clear()  # Chromium has told of each of them
