"""The page in a real browser: what a visitor types, sees and clicks; nothing on the console, nothing from outside."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sevenepochs.ask.model import Model
from sevenepochs.ask.next_token import on_one_title
from sevenepochs.errors import install
from sevenepochs.store.run import Run, layout
from tests.serve.prefix_proxy import prefix_proxy

playwright = pytest.importorskip("playwright.sync_api", reason=f"playwright is not installed: {install('dev')}")

PATIENCE_MS = 120_000  # a busy machine is no fault of the page
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
TITLE = "Show HN: A small test"


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Any]:
    with playwright.sync_playwright() as api:
        # Chromium refuses to sandbox root, which is what a container's user often is
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = api.chromium.launch(executable_path=chromium, args=sandbox, timeout=PATIENCE_MS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(finished_run: Run, other_run: Run, in_background: Any) -> Iterator[str]:
    with in_background([finished_run, other_run]) as found:
        yield found


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """`visit(address, expect_refusals=False, **context)`: an open page; at the end its console and requests are
    checked."""
    with contextlib.ExitStack() as stack:

        def opened(address: str, *, expect_refusals: bool = False, **options: Any) -> Any:
            context = browser.new_context(**options)
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            problems: list[str] = []
            hosts: set[str] = set()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda entry: problems.append(entry.text) if entry.type != "log" else None)
            page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))

            def check() -> None:
                left = [p for p in problems if not (expect_refusals and p.startswith("Failed to load resource"))]
                assert left == []
                assert hosts == {urlsplit(address).netloc}

            stack.callback(check)
            page.goto(address)
            return page

        yield opened


def type_title(page: Any, text: str = TITLE) -> None:
    page.fill("#headline", "")
    page.type("#headline", text)
    settled(page, text)


def settled(page: Any, text: str = TITLE) -> None:
    """Both columns show this text."""
    page.wait_for_function(
        """(text) => [...document.querySelectorAll('.column:not([hidden])')].every((column) =>
          !column.hasAttribute('aria-busy') && column.querySelector('.candidate') &&
          column.querySelector('.sum').textContent) && document.querySelector('#headline').value === text""",
        arg=text,
    )


def shares(page: Any, column: str) -> list[float]:
    return page.eval_on_selector_all(
        f".{column} [data-probability]", "rows => rows.map((row) => Number(row.dataset.probability))"
    )


def axe_violations(page: Any) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [f"{v['id']}: {[node['target'] for node in v['nodes']]}" for v in found]


def test_type_look_take_and_compare(visit: Any, address: str) -> None:
    page = visit(address)
    type_title(page)
    for column in ("a", "b"):
        found = shares(page, column)
        assert len(found) == 11  # ten candidates, and all others
        assert sum(found) == pytest.approx(1.0, abs=1e-5)
        tokens = page.locator(f".{column} .token:not(.next)").all_inner_texts()
        shown = "".join(token.split("\n")[0] for token in tokens)
        assert shown.replace("␣", "") == TITLE.replace(" ", "")  # a space that is a token of its own is shown
    assert page.locator(".a .token").count() != page.locator(".b .token").count()  # two tokenizers
    assert page.locator("#difference .word-gain").count() > 1

    page.hover(".a .token >> nth=0")
    assert page.inner_text(".a .place h2").startswith("Instead of")
    assert page.inner_text(".b .place h2").startswith("Instead of")  # the other column looks there too
    assert sum(shares(page, "b")) == pytest.approx(1.0, abs=1e-5)
    page.hover("h1")
    assert page.inner_text(".a .place h2").startswith("After")

    words = page.locator(".a button.candidate:not([aria-disabled]) .word:not(.named)").filter(has_not_text="␣")
    added = words.first.text_content()
    words.first.click()
    settled(page, TITLE + added)
    page.wait_for_function(  # the address holds what is shown
        "(text) => new URLSearchParams(location.search).get('text') === text", arg=TITLE + added
    )
    page.reload()
    settled(page, TITLE + added)


def test_one_run_alone_and_again_two(visit: Any, address: str, finished_run: Run, other_run: Run) -> None:
    page = visit(address)
    settled(page, "")
    page.select_option('[aria-label="Run B"]', "none")
    assert not page.is_visible(".column.b")
    page.select_option('[aria-label="Run A"]', other_run.name)
    type_title(page)
    page.select_option('[aria-label="Run B"]', finished_run.name)
    settled(page)
    assert page.locator(".b .token").count() > 1


def test_one_run_in_both_columns_answers_both(visit: Any, address: str, finished_run: Run) -> None:
    page = visit(address)
    settled(page, "")
    page.select_option('[aria-label="Run B"]', finished_run.name)
    settled(page, "")
    asked: list[dict[str, Any]] = []
    page.on("request", lambda request: asked.append(request.post_data_json) if request.post_data else None)
    type_title(page)
    # the server drops a client's older request for a newer one, so the two must not pass for one client's
    assert {body["run"] for body in asked} == {finished_run.name}
    assert len({body["client"] for body in asked}) == 2
    strips = [page.locator(f".{column} .token").all_inner_texts() for column in ("a", "b")]
    assert strips[0] == strips[1]


def test_facts_are_typed_beside_the_headline_for_runs_that_are_told_them(
    visit: Any, in_background: Any, told_run: Run, finished_run: Run
) -> None:
    with in_background([told_run, finished_run]) as found:
        page = visit(found)
        settled(page, "")
        assert page.is_visible("#told-a-n") and page.is_visible("#told-a-time") and not page.is_visible(".b .told")
        page.select_option('[aria-label="Run B"]', told_run.name)
        type_title(page, "Show one 0")
        assert not page.is_visible("#difference")  # the same run, told the same
        page.fill("#told-b-n", "0")
        page.wait_for_selector("#difference .gain-b")
        page.wait_for_function("(told) => new URLSearchParams(location.search).get('told_b') === told", arg="n=0")
        page.reload()
        settled(page, "Show one 0")
        assert page.input_value("#told-b-n") == "0" and page.input_value("#told-a-n") == ""
        page.wait_for_selector("#difference .gain-b")


def test_the_difference_is_that_of_the_analysis(visit: Any, address: str, finished_run: Run, other_run: Run) -> None:
    page = visit(address)
    readers = [Model.load(run) for run in (finished_run, other_run)]
    for text in (TITLE, "Ask HN: naïve 🙂 “quotes” and 漢字", "a<eos>b", "The the  THE"):
        segments = on_one_title(*readers, text)["segments"][:-1]  # the page does not read the closing <eos>
        type_title(page, text)
        pieces = page.evaluate(
            """async ([runs, text]) => {
              const [{ commonPieces }, { predict }] = await Promise.all([import("/type.js"), import("/api.js")]);
              const [a, b] = await Promise.all(runs.map((run) => predict("other", run, text)));
              return commonPieces(a.tokens, b.tokens);
            }""",
            [[finished_run.name, other_run.name], text],
        )
        assert [(piece["start"], piece["stop"]) for piece in pieces] == [(s["start"], s["stop"]) for s in segments]
        assert [bits for piece in pieces for bits in (piece["a"], piece["b"])] == pytest.approx(
            [bits for segment in segments for bits in segment["bits"]], abs=1e-3
        )
        page.wait_for_function(
            "(n) => document.querySelectorAll('#difference .word-gain').length === n", arg=len(segments)
        )
        shown = page.eval_on_selector_all(".word-gain", "words => words.map((word) => word.firstChild.textContent)")
        assert shown == [segment["text"].strip() or "␣" for segment in segments]


def test_the_address_changes_seldom_and_may_be_refused(visit: Any, address: str) -> None:
    page = visit(address)
    page.add_init_script(
        """window.changes = 0;
        history.replaceState = () => { window.changes += 1; throw new DOMException("too often", "SecurityError"); };"""
    )
    page.reload()
    settled(page, "")
    began = time.monotonic()
    page.type("#headline", TITLE, delay=60)  # slower than the page's own wait, so that each key is asked about
    page.wait_for_function("() => window.changes > 0")
    assert page.evaluate("window.changes") <= time.monotonic() - began + 2  # one a second, and what the start asked for
    settled(page)


def test_keyboard_alone_is_enough(visit: Any, address: str) -> None:
    page = visit(address)
    settled(page, "")
    page.locator("nav a").first.focus()
    page.keyboard.press("/")
    page.keyboard.type("Show HN")
    settled(page, "Show HN")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.classList.contains('next')")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => document.querySelector('.a .place h2').textContent.startsWith('Instead of')")
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.classList.contains('candidate')")
    page.keyboard.press("ArrowDown")
    words = page.locator(".a button.candidate .word")
    taken = words.nth(1).text_content()
    page.keyboard.press("Enter")
    expected = "Show HN" + ("<eos>" if "end of title" in taken else taken.replace("␣", " "))
    settled(page, expected)
    page.wait_for_function("() => document.activeElement.classList.contains('candidate')")  # Enter may follow Enter
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "headline"


def test_titles_are_written_live_and_stop(visit: Any, address: str) -> None:
    page = visit(address)
    type_title(page, "Show HN")
    page.fill("#count", "3")
    page.click("text=Write titles")
    page.wait_for_function("() => document.querySelectorAll('.written ol').length === 2")
    page.wait_for_function("() => document.querySelectorAll('.written li').length === 6")
    page.wait_for_selector("#write button:has-text('Stop'):disabled")
    before = page.inner_text(".written")
    assert before.count("Show HN") == 6
    page.locator("#temperature").press("Home")  # live: from the same seed, now always the likeliest
    page.wait_for_function("(before) => document.querySelector('.written').innerText !== before", arg=before)
    page.wait_for_selector("#write button:has-text('Stop'):disabled")
    assert len({line for line in page.locator(".written ol").first.locator("li").all_inner_texts()}) == 1


def test_what_is_typed_is_text_and_never_markup(visit: Any, address: str) -> None:
    page = visit(address)
    type_title(page, "<img src=x onerror=alert(1)><b>")
    assert page.locator(".columns img, .columns .strip b, .written img").count() == 0
    page.click("text=Write titles")
    page.wait_for_selector(".written li")
    assert page.locator(".written img").count() == 0


def test_too_long_is_said_before_it_is_sent(visit: Any, address: str) -> None:
    page = visit(address, expect_refusals=True)
    type_title(page)
    page.fill("#headline", "a " * 170)
    assert "Shorten it by 40" in page.inner_text("#headline-message")
    assert page.get_attribute("#headline", "aria-invalid") == "true"
    page.fill("#headline", "🙂" * 150)  # short enough, but more tokens than the model reads
    page.wait_for_selector(".a .message:visible")
    assert "tokens; this model reads" in page.inner_text(".a .message")


def test_curves_titles_and_certificate(visit: Any, address: str, finished_run: Run) -> None:
    page = visit(address)
    page.click("text=Curves")
    chart = page.locator("#view-curves svg[role=img]").first
    chart.wait_for()
    last = finished_run.evaluations()[-1]["exact_val_loss"]
    assert f"{last:.4f}" in page.inner_text("#view-curves")
    first = finished_run.evaluations()[-2]["exact_val_loss"]
    chart.focus()
    page.keyboard.press("ArrowLeft")
    assert f"{first:.4f}" in page.inner_text("#view-curves")

    page.click("text=Certificate")
    page.wait_for_selector("#view-details .rules")
    assert "seven epochs" in page.inner_text("#view-details")
    assert "300" in page.inner_text("#view-details")  # the vocabulary, from the config

    page.click("nav >> text=Titles")
    row = page.locator("#view-titles li button").first
    row.wait_for()
    title = row.locator("span").first.inner_text()
    row.click()
    settled(page, title)
    assert page.is_visible("#view-type")


def test_a_run_that_vanishes_or_is_damaged_leaves_the_other(visit: Any, in_background: Any, copies: Any) -> None:
    gone, kept = copies
    with in_background([gone, kept]) as address:
        page = visit(address, expect_refusals=True)
        type_title(page, "Show")
        (gone.path / layout.MODEL).write_bytes(b"not tensors")
        page.type("#headline", " HN")
        page.wait_for_selector(".a .message:visible")
        assert layout.MODEL in page.inner_text(".a .message")
        shutil.rmtree(gone.path)
        page.type("#headline", ":")
        page.wait_for_function("() => document.querySelector('.a .message').textContent.includes('gone')")
        page.wait_for_function("() => document.querySelectorAll('.b .token').length > 2")
        page.click("text=Curves")
        page.wait_for_selector("#view-curves svg[role=img]")
        assert "is gone" in page.inner_text("#view-curves .message")


def test_a_server_that_has_stopped_is_said(visit: Any, in_background: Any, finished_run: Run) -> None:
    with in_background([finished_run]) as address:
        page = visit(address, expect_refusals=True)
        type_title(page, "Show")
    page.type("#headline", " HN")
    page.wait_for_selector(".a .message:visible")
    assert "sevenepochs serve" in page.inner_text(".a .message")


@pytest.mark.parametrize("keeps_host", [True, False], ids=["outer Host", "own Host"])
def test_behind_a_proxy_that_strips_its_prefix(
    visit: Any, in_background: Any, finished_run: Run, other_run: Run, keeps_host: bool
) -> None:
    """Every address of the page is relative: scripts, styles, pictures, questions, samples, curves and titles."""
    name = "hub.localhost"  # Chromium takes names below localhost to this machine
    with (
        in_background([finished_run, other_run], proxies=[name]) as behind,
        prefix_proxy(behind, "/user/me/proxy/8707", name, keeps_host=keeps_host) as outer,
    ):
        page = visit(outer)
        type_title(page)
        assert page.evaluate("getComputedStyle(document.querySelector('header.top')).display") != "inline"
        assert page.locator(".columns .token").count() > 4
        page.click("text=Write titles")
        page.wait_for_selector(".written li")
        page.click("text=Curves")
        page.wait_for_selector("#view-curves svg[role=img]")
        page.click("nav >> text=Titles")
        page.wait_for_selector("#view-titles li button")
        page.click("text=Certificate")
        page.wait_for_selector("#view-details .rules")
        page.reload()  # the address that the page wrote itself
        page.wait_for_selector("#view-details .rules")
        picture = page.evaluate("getComputedStyle(document.querySelector('select')).backgroundImage")
        assert "/user/me/proxy/8707/chevron.svg" in picture


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [{"viewport": {"width": 1280, "height": 900}}, PHONE], ids=["desktop", "phone"])
def test_accessible_and_within_the_width(visit: Any, address: str, scheme: str, device: dict[str, Any]) -> None:
    page = visit(address, color_scheme=scheme, reduced_motion="reduce", **device)
    type_title(page, "Show HN: A naïve 🙂 test of widths")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(20, 23, 27)") is (scheme == "dark")
    for view, ready in (
        ("type", ".a .candidate"),
        ("curves", "svg[role=img]"),
        ("titles", "#view-titles li"),
        ("details", ".rules"),
    ):
        page.evaluate("(view) => { location.hash = view }", view)
        page.wait_for_selector(f"#view-{view} {ready.replace('#view-titles ', '')}")
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(overflow) <= 0
        assert axe_violations(page) == []
