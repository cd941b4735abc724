"""Faults of a finished site, found in its HTML, styles and pictures: used by each build, and by the tests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_PLACEHOLDER = re.compile(r"\b(TODO|TBD|FIXME|XXX|lorem ipsum)\b|\bcoming soon\b|\bto be written\b", re.IGNORECASE)
# What a browser fetches by itself when it shows the element; a link that a reader clicks is not among them.
_FETCHED = {"src", "srcset", "poster", "data", "background", "xlink:href"}
_LINK_RELS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "dns-prefetch", "preconnect", "manifest"}
_URL_IN_CSS = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
_URL_IN_SVG = re.compile(r"""<(?:image|use|script|link)\b[^>]*?\bhref\s*=\s*["']([^"']+)""")
_REMOTE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)


def check_site(folder: Path) -> list[str]:
    """Return all faults, each after its file's name; an empty list is what a build accepts.

    Faults are dead links and anchors, figures without source, caption or alt text, placeholder text, requests to
    elsewhere, ids used twice, and headings out of order.
    """
    from lxml import html

    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.html"))}
    pages = {name: html.parse(str(path), parser).getroot() for name, path in files.items()}
    ids = {name: Counter(page.xpath("//@id")) for name, page in pages.items()}
    faults = []
    for name, page in pages.items():
        twice = (f"the id {one!r} is used twice" for one, count in ids[name].items() if count > 1)
        checks = _links(folder, name, page, ids), _fetches(page), _figures(page), twice, _headings(page), _text(page)
        faults += [f"{name}: {fault}" for check in checks for fault in check]
    for path in sorted([*folder.rglob("*.css"), *folder.rglob("*.svg")]):
        text = path.read_text(encoding="utf-8", errors="replace")
        urls = _URL_IN_SVG.findall(text) if path.suffix == ".svg" else []
        found = [f"the picture would fetch {url!r} from elsewhere" for url in urls if _REMOTE.match(url)]
        faults += [f"{path.relative_to(folder).as_posix()}: {fault}" for fault in [*_css_fetches(text), *found]]
    return faults


def _links(folder: Path, name: str, page: Any, ids: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for target in page.xpath("//@href | //@src"):
        if re.match(r"(https?|mailto|data):", target):
            continue
        if re.match(r"[a-z][a-z0-9+.-]*:|/", target, re.IGNORECASE):
            yield f"the link {target!r} is not relative, so it would break on disk or below a folder"
            continue
        path, fragment = unquote(urlsplit(target).path), unquote(urlsplit(target).fragment)
        file = (Path(name).parent / path).as_posix() if path else name
        if not (folder / file).is_file():
            yield f"dead link: {target!r}"
        elif fragment and file in ids and fragment not in ids[file]:
            yield f"dead anchor: {target!r}"


def _fetches(page: Any) -> Iterator[str]:
    for element in page.iter("*"):
        for key, value in element.items():
            linked = element.tag == "link" and key == "href" and element.get("rel") in _LINK_RELS
            if (key in _FETCHED or linked) and _REMOTE.match(value):
                yield f"<{element.tag}> would fetch {value!r} from elsewhere"
        yield from _css_fetches(element.get("style", ""))
        if element.tag == "style":
            yield from _css_fetches(element.text or "")
        if element.tag in {"iframe", "object", "embed"}:
            yield f"<{element.tag}> does not belong on a static page"


def _css_fetches(css: str) -> list[str]:
    urls = (first or second for first, second in _URL_IN_CSS.findall(css))
    return [f"a style would fetch {url!r} from elsewhere" for url in urls if _REMOTE.match(url)]


def _figures(page: Any) -> Iterator[str]:
    for image in page.iter("img"):
        if not image.get("alt", "").strip():
            inside = next(image.iterancestors("figure"), None)
            where = f"image {image.get('src')!r}" if inside is None else f"figure {_name(inside)}"
            yield f"{where} has no alt text (:alt:)"
    for figure in page.xpath("//figure[not(ancestor::figure) and contains(@class, 'float-figure')]"):
        if not any(caption.text_content().strip() for caption in figure.iter("figcaption")):
            yield f"figure {_name(figure)} has no caption"
        if not figure.find_class("figure-source"):
            yield f"figure {_name(figure)} has no source: embed a cell, or end its caption with 'Source: [..](..)'"


def _name(figure: Any) -> str:
    return repr(figure.get("id") or " ".join(figure.text_content().split())[:40] or "without a label")


def _headings(page: Any) -> Iterator[str]:
    before, titles = 0, 0
    for heading in page.iter("h1", "h2", "h3", "h4", "h5", "h6"):
        level = int(heading.tag[1])
        titles += level == 1
        if level > before + 1:
            words = " ".join(heading.text_content().split())
            yield f"heading {words!r} is of level {level} after one of level {before}"
        before = level
    if titles != 1 and not page.xpath("//body[contains(@class, 'print')]"):
        yield f"the page has {titles} headings of level 1 instead of one"


def _text(page: Any) -> Iterator[str]:
    inside = page.xpath("//main[1]//text()[not(ancestor::pre | ancestor::code | ancestor::script | ancestor::style)]")
    text = " ".join(" ".join(inside).split())
    for match in _PLACEHOLDER.finditer(text):
        yield f"placeholder text: {match.group()!r} in {text[max(0, match.start() - 30) : match.end() + 30]!r}"
