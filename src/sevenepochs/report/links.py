"""Faults of a finished site, found by reading its HTML as a browser would: used by each build, and by the tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sevenepochs.report.site_html import Element, parse


@dataclass(frozen=True)
class Problem:
    """A fault and the page it is on."""

    page: str
    message: str

    def __str__(self) -> str:
        return f"{self.page}: {self.message}"


_PLACEHOLDER = re.compile(r"\b(TODO|TBD|FIXME|XXX|lorem ipsum)\b|\bcoming soon\b|\bto be written\b", re.IGNORECASE)
# What a browser fetches by itself when it shows the element; a link that a reader clicks is not among them.
_FETCHED = {"src", "srcset", "poster", "data", "background", "xlink:href"}
_URL_IN_CSS = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
_REMOTE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_LINK_RELS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "dns-prefetch", "preconnect", "manifest"}


def check_site(folder: Path) -> list[Problem]:
    """All faults: dead links and anchors, figures without source, caption or alt text, placeholder text, requests to
    elsewhere, ids used twice, headings out of order. An empty list is what a build accepts."""
    pages = {path.relative_to(folder).as_posix(): parse(path) for path in sorted(folder.rglob("*.html"))}
    ids = {
        name: {element.attributes["id"] for element in page if "id" in element.attributes}
        for name, page in pages.items()
    }
    problems = []
    for name, page in pages.items():
        checks = (
            _links(folder, name, page, ids),
            _fetches(page),
            _figures(page),
            _ids(page),
            _headings(page),
            _text(page),
        )
        problems += [Problem(name, message) for check in checks for message in check]
    for path in sorted([*folder.rglob("*.css"), *folder.rglob("*.svg")]):
        problems += [Problem(path.relative_to(folder).as_posix(), message) for message in _file_fetches(path)]
    return problems


def _links(folder: Path, name: str, page: list[Element], ids: dict[str, set[str]]) -> list[str]:
    faults = []
    for element in page:
        for key in ("href", "src"):
            target = element.attributes.get(key)
            if target is None or re.match(r"(https?|mailto|data):", target):
                continue
            if re.match(r"[a-z][a-z0-9+.-]*:|/", target, re.IGNORECASE):
                faults.append(f"the link {target!r} is not relative, so it would break on disk or below a folder")
                continue
            path, fragment = unquote(urlsplit(target).path), unquote(urlsplit(target).fragment)
            file = (Path(name).parent / path).as_posix() if path else name
            if not (folder / file).is_file():
                faults.append(f"dead link: {target!r}")
            elif fragment and file in ids and fragment not in ids[file]:
                faults.append(f"dead anchor: {target!r}")
    return faults


def _fetches(page: list[Element]) -> list[str]:
    faults = []
    for element in page:
        for key, value in element.attributes.items():
            linked = element.name == "link" and key == "href" and element.attributes.get("rel") in _LINK_RELS
            if (key in _FETCHED or linked) and _REMOTE.match(value):
                faults.append(f"<{element.name}> would fetch {value!r} from elsewhere")
            if key == "style":
                faults += _css_fetches(value)
        if element.name == "style":
            faults += _css_fetches(element.text)
        if element.name in {"iframe", "object", "embed"}:
            faults.append(f"<{element.name}> does not belong on a static page")
    return faults


def _css_fetches(css: str) -> list[str]:
    urls = [first or second for first, second in _URL_IN_CSS.findall(css)]
    return [f"a style would fetch {url!r} from elsewhere" for url in urls if _REMOTE.match(url)]


def _file_fetches(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    faults = _css_fetches(text)
    if path.suffix == ".svg":
        faults += [
            f"the picture would fetch {url!r} from elsewhere"
            for url in re.findall(r"""<(?:image|use|script|link)\b[^>]*?\bhref\s*=\s*["']([^"']+)""", text)
            if _REMOTE.match(url)
        ]
    return faults


def _figures(page: list[Element]) -> list[str]:
    faults = []
    for element in page:
        if element.name == "img" and not element.attributes.get("alt", "").strip():
            inside = element.ancestor("figure")
            where = f"figure {_name(inside)}" if inside else f"image {element.attributes.get('src')!r}"
            faults.append(f"{where} has no alt text (:alt:)")
        if element.name == "figure" and "float-figure" in element.classes and element.ancestor("figure") is None:
            inner = [child for child in page if child.is_inside(element)]
            if not any(child.name == "figcaption" and child.text.strip() for child in inner):
                faults.append(f"figure {_name(element)} has no caption")
            if not any("figure-source" in child.classes for child in inner):
                faults.append(
                    f"figure {_name(element)} has no source: embed a cell, or end its caption with 'Source: [..](..)'"
                )
    return faults


def _name(figure: Element) -> str:
    return repr(figure.attributes.get("id") or " ".join(figure.text.split())[:40] or "without a label")


def _ids(page: list[Element]) -> list[str]:
    seen: set[str] = set()
    faults = []
    for element in page:
        name = element.attributes.get("id")
        if name is not None:
            if name in seen:
                faults.append(f"the id {name!r} is used twice")
            seen.add(name)
    return faults


def _headings(page: list[Element]) -> list[str]:
    faults, before, titles = [], 0, 0
    whole = any(element.name == "body" and "print" in element.classes for element in page)
    for element in page:
        if not re.fullmatch(r"h[1-6]", element.name):
            continue
        level = int(element.name[1])
        titles += level == 1
        if level > before + 1:
            faults.append(f"heading {' '.join(element.text.split())!r} is of level {level} after one of level {before}")
        before = level
    if titles != 1 and not whole:
        faults.append(f"the page has {titles} headings of level 1 instead of one")
    return faults


def _text(page: list[Element]) -> list[str]:
    body = next((element for element in page if element.name == "main"), None)
    text = " ".join(body.prose.split()) if body else ""
    return [
        f"placeholder text: {match.group()!r} in {text[max(0, match.start() - 30) : match.end() + 30]!r}"
        for match in _PLACEHOLDER.finditer(text)
    ]
