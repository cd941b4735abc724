"""Each fault that a site can have is found, and a sound page has none."""

from pathlib import Path

import pytest

from sevenepochs.report.links import check_site

SOUND = """<!doctype html><html lang="en"><head><link rel="stylesheet" href="site.css"></head><body><main>
<h1>T</h1><h2 id="a">A</h2><p>Text, <code>TODO</code> and <a href="#a">there</a>, <a href="https://else.where">web</a>.</p>
<figure class="float float-figure" id="f"><p class="figure-source">Source: <a href="index.html">n</a></p>
<img src="p.svg" alt="A curve"><figcaption>What it shows.</figcaption></figure>
</main></body></html>"""


def _site(folder: Path, html: str, css: str = "p { color: red }", svg: str = "<svg/>") -> list[str]:
    (folder / "index.html").write_text(html)
    (folder / "site.css").write_text(css)
    (folder / "p.svg").write_text(svg)
    return check_site(folder)


def test_a_sound_page_has_no_fault(tmp_path: Path) -> None:
    assert _site(tmp_path, SOUND) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('href="#a"', 'href="gone.html"', "dead link: 'gone.html'"),
        ('href="#a"', 'href="#gone"', "dead anchor: '#gone'"),
        ('href="#a"', 'href="/index.html"', "is not relative"),
        ('href="#a"', 'href="file:///home/x"', "is not relative"),
        ('href="site.css"', 'href="https://cdn.else.where/site.css"', "would fetch"),
        ('src="p.svg"', 'src="//else.where/p.svg"', "would fetch"),
        ("<p>Text", '<p style="background: url(https://else.where/x)">Text', "a style would fetch"),
        ("<p>Text", '<iframe src="index.html"></iframe><p>Text', "<iframe> does not belong"),
        ('alt="A curve"', 'alt=""', "figure 'f' has no alt text"),
        ("What it shows.", " ", "figure 'f' has no caption"),
        ('class="figure-source"', "", "figure 'f' has no source"),
        ("<p>Text", '<p id="a">Text', "the id 'a' is used twice"),
        ("<h2", "<h3", "is of level 3 after one of level 1"),
        ("<h1>T</h1>", "", "0 headings of level 1"),
        ("<h1>T</h1>", "<h1>T</h1><h1>U</h1>", "2 headings of level 1"),
        ("Text,", "TODO: text,", "placeholder text: 'TODO'"),
        ("Text,", "Lorem ipsum,", "placeholder text"),
    ],
)
def test_a_fault_is_found(before: str, after: str, fault: str, tmp_path: Path) -> None:
    assert before in SOUND
    found = _site(tmp_path, SOUND.replace(before, after, 1))
    assert any(fault in line and line.startswith("index.html: ") for line in found), found


def test_requests_from_styles_and_pictures_are_found(tmp_path: Path) -> None:
    assert any("site.css" in line for line in _site(tmp_path, SOUND, css="@import 'https://else.where/x.css';"))
    assert any(
        "p.svg" in line for line in _site(tmp_path, SOUND, svg='<svg><image href="https://else.where/x"/></svg>')
    )
