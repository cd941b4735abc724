"""The site in a real Chromium, opened from disk: accessible in both schemes, usable from the keyboard, fits a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sevenepochs.errors import install

playwright = pytest.importorskip("playwright.sync_api", reason=f"playwright is not installed: {install('dev')}")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=f"axe is not installed: {install('dev')}")

PAGES = ("index.html", "steps.html", "first-run.html", "print.html")


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


def _open(browser: Any, site: Path, file: str, **context: Any) -> Any:
    page = browser.new_context(**context).new_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.goto((site / file).as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_requested_from_elsewhere(browser: Any, built: Path, scheme: str) -> None:
    for file in PAGES:
        page = _open(browser, built, file, color_scheme=scheme)
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
        found = axe.Axe().run(page, options=rules)
        faults = [(fault["id"], fault["nodes"][0]["html"][:120]) for fault in found.response["violations"]]
        assert (file, faults) == (file, [])
        assert page.wrong == [] and [url for url in page.asked if not url.startswith("file://")] == []
        page.context.close()


def test_a_phone_shows_everything_in_its_width(browser: Any, built: Path) -> None:
    for file in PAGES:
        page = _open(browser, built, file, viewport={"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, file
        page.context.close()


def test_the_menu_of_a_phone_opens_and_closes_from_the_keyboard(browser: Any, built: Path) -> None:
    page = _open(browser, built, "index.html", viewport={"width": 360, "height": 740})
    menu, link = page.locator(".menu"), page.locator(".side a", has_text="Steps")
    assert not link.is_visible()
    menu.focus()
    page.keyboard.press("Enter")
    assert link.is_visible() and menu.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Escape")
    assert not link.is_visible() and page.evaluate("document.activeElement.className") == "menu"
    page.context.close()


def test_keyboard_reaches_the_text_first_then_navigation(browser: Any, built: Path) -> None:
    page = _open(browser, built, "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.context.close()


def test_search_from_the_keyboard_leads_to_the_section(browser: Any, built: Path) -> None:
    page = _open(browser, built, "steps.html")
    page.keyboard.press("/")
    page.keyboard.type("next word")
    assert page.locator(".search-status").inner_text() == "1 place found"
    page.keyboard.press("Enter")
    page.wait_for_url("**/index.html#sec-task")
    page.context.close()


def test_the_scheme_is_remembered(browser: Any, built: Path) -> None:
    page = _open(browser, built, "index.html", color_scheme="light")
    page.locator(".scheme").click()
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    page.context.close()


def test_without_javascript_all_is_there(browser: Any, built: Path) -> None:
    page = _open(browser, built, "index.html", java_script_enabled=False, viewport={"width": 360, "height": 740})
    for text in ("A note.", "One pass over the titles.", "Steps"):
        assert page.get_by_text(text, exact=True).first.is_visible()
    assert not page.locator(".find").is_visible()
    page.context.close()
