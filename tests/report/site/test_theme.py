"""The theme on saved pages of mystmd: what the constructs become, and what it does with one that it does not know."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sevenepochs.errors import UserError
from sevenepochs.report.links import check_site
from sevenepochs.report.theme.html import sanitise
from sevenepochs.report.theme.site import Assets, load_site
from sevenepochs.report.theme.write import write_site


def _write(saved: Path, out: Path, **address: Any) -> Path:
    out.mkdir()
    write_site(load_site(saved, **address), out)
    return out


def _change(saved: Path, page: str, before: str, after: str) -> None:
    file = saved / "content" / f"{page}.json"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def test_all_constructs_render_without_a_fault(saved_site: Path, tmp_path: Path) -> None:
    out = _write(saved_site, tmp_path / "out")
    # The page was written to hold everything, also an embed and images that a real page would describe.
    allowed = re.compile("has no alt text|has no source")
    assert [fault for fault in check_site(out) if not allowed.search(fault)] == []


@pytest.mark.parametrize(
    "expected",
    [
        '<a href="step-one.html#loss-first-run">Step one</a></p>',  # a figure's source links to the cell
        '<span class="caption-number">Figure\u00a03:</span>',
        'href="page.html"',
        "<math",
        '<span class="equation-number">(1)</span>',
        '<div class="admonition note" role="note">',
        '<dt id="term-loss">loss</dt>',
        '<li id="cite-muon2024">',
        '<span class="k">def</span>',
        '<th scope="col" class="align-right">b</th>',
        'download="references.bib"',
    ],
)
def test_a_construct_becomes(expected: str, saved_site: Path, tmp_path: Path) -> None:
    assert expected in (_write(saved_site, tmp_path / "out") / "index.html").read_text()


def test_notebook_outputs(saved_site: Path, tmp_path: Path) -> None:
    html = (_write(saved_site, tmp_path / "out") / "step-one.html").read_text()
    assert '<pre class="output stream stdout" tabindex="0">hello\nred</pre>' in html  # terminal colours are dropped
    assert '<pre class="output stream stderr" tabindex="0">warn</pre>' in html
    assert "ZeroDivisionError: division by zero" in html
    assert "<td>1</td>" in html and "onclick" not in html and "alert" not in html
    assert html.count("assets/") >= 3  # svg, png, the notebook itself
    assert "https://colab.research.google.com/github/example/sevenepochs/blob/main/notebooks/step_one.ipynb" in html
    assert ">3</span>" not in html.split('id="cell-6"')[1].split('id="cell-7"')[0]  # remove-input


def test_without_a_repository_there_is_no_colab_button(saved_site: Path, tmp_path: Path) -> None:
    config = json.loads((saved_site / "config.json").read_text())
    del config["projects"][0]["github"]
    (saved_site / "config.json").write_text(json.dumps(config))
    html = (_write(saved_site, tmp_path / "out") / "step-one.html").read_text()
    assert "colab.research" not in html and "Colab needs a public repository" in html


def test_an_unknown_node_stops_the_build_and_names_itself(saved_site: Path, tmp_path: Path) -> None:
    _change(saved_site, "more", '"type": "paragraph"', '"type": "hologram"')
    with pytest.raises(UserError, match=r"more\.md: the theme cannot show a node of type 'hologram'"):
        _write(saved_site, tmp_path / "out")


@pytest.mark.parametrize(
    ("page", "before", "after", "message"),
    [
        ("page", '"resolved": true', '"resolved": false', "page.md.* refers to .* which no page defines"),
        ("index", '"source": {"url": "/step-one", "label": "', '"source": {"url": "/step-one", "label": "no', "'no"),
        ("more", '"url": "/step-one"', '"url": "/nowhere"', "more.md.*no page of the site"),
        ("index", '"url": "/img-', '"url": "https://else.where/img-', "index.md.*image from elsewhere"),
        ("step-one", '"text/plain": {"content": "2"', '"application/x": {"content": "2"', "a static page cannot show"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    page: str, before: str, after: str, message: str, saved_site: Path, tmp_path: Path
) -> None:
    _change(saved_site, page, before, after)
    with pytest.raises(UserError, match=message):
        _write(saved_site, tmp_path / "out")


def test_same_pages_give_the_same_bytes(saved_site: Path, tmp_path: Path) -> None:
    first, second = _write(saved_site, tmp_path / "one"), _write(saved_site, tmp_path / "two")
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert all((first / file).read_bytes() == (second / file).read_bytes() for file in files)


def test_the_place_of_a_download_does_not_name_it(tmp_path: Path) -> None:
    """mystmd names public/2026-11.md.txt by a hash of its folder, which is another one in every build."""
    (tmp_path / f"2026-11-{'0a' * 16}.md.txt").write_text("the log")
    (tmp_path / f"2026-11-{'0b' * 16}.md.txt").write_text("the log")
    assets = Assets(tmp_path, tmp_path / "out")
    first, second = (assets.use(f"/2026-11-{digits * 16}.md.txt") for digits in ("0a", "0b"))
    assert first == second and first.startswith("assets/2026-11.md-")


def test_print_edition_holds_every_page_but_notebooks(saved_site: Path, tmp_path: Path) -> None:
    html = (_write(saved_site, tmp_path / "out") / "print.html").read_text()
    assert re.findall(r'<section id="([^"]+)"', html) == ["index", "page", "more"]
    assert 'href="#index--fig-loss"' in html  # a page refers to another one inside the same file
    assert "step-one.html" not in html  # a notebook has no place on paper
    with_address = _write(saved_site, tmp_path / "published", base_url="https://example.org/report/")
    assert 'href="https://example.org/report/step-one.html#loss-first-run"' in (with_address / "print.html").read_text()


def test_search_index_holds_words_of_pages_and_no_code(saved_site: Path, tmp_path: Path) -> None:
    index = (_write(saved_site, tmp_path / "out") / "static" / "search-index.js").read_text()
    rows = json.loads(index.removeprefix("window.SITE_INDEX = ").removesuffix(";\n"))
    assert ["Introduction", "index.html", "Section two", "sec-two"] in [row[:4] for row in rows]
    assert "The thing minimised." in index and "ZeroDivisionError" not in index


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        ("<b onclick='x()'>t</b>", "<b>t</b>"),
        ("a<script>x<b>y</b></script>b", "ab"),
        ("<style>p{}</style><p style='x'>t", "<p>t</p>"),
        ("<img src='https://else.where/a.png'>t", "t"),
        ("<img src='data:image/png;base64,AA=='>", '<img src="data:image/png;base64,AA==">'),
        ("<a href='javascript:x()'>t</a>", "<a>t</a>"),
        ("<a href='https://else.where'>t</a>", '<a href="https://else.where">t</a>'),
        ("<svg><a href='x'>t</a></svg>u", "u"),
        ("<h1>t</h1>", "<p>t</p>"),
        ("1 < 2 &amp; &lt;b&gt;", "1 &lt; 2 &amp; &lt;b&gt;"),
        ("</p></div>t", "<p></p>t"),  # as HTML has it: a paragraph's end alone is an empty paragraph
        ("<img alt='a><script>x()</script>'>t", "t"),
        ("<p title='<h1 onclick=x()>'>t</p>", '<p title="&lt;p onclick=x()&gt;">t</p>'),
        ("<iframe src='x'>t</iframe><object>u</object>v", "v"),
    ],
)
def test_sanitise(html: str, clean: str) -> None:
    assert sanitise(html) == clean
