"""What mystmd hands to a theme: the project's settings, one JSON tree a page, and the files that pages use.

The folder is mystmd's `_build/site`: config.json, content/<slug>.json, public/. Its format is mystmd's own and not
promised to stay (hence the pin `mystmd>=1.11,<1.12`): whatever is read from it is read here or in the node handlers.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Node = dict[str, Any]


def walk(node: Node) -> Iterator[Node]:
    """The node and all that stand below it, in reading order."""
    yield node
    for child in node.get("children", ()):
        yield from walk(child)


def text_of(node: Node) -> str:
    """The words of a node, markup dropped."""
    if "value" in node and node.get("type") not in {"comment", "code"}:
        return str(node["value"])
    return "".join(text_of(child) for child in node.get("children", ()))


@dataclass(frozen=True)
class Page:
    """One page: `file` is its place in the site, `location` its source below the project root."""

    slug: str
    file: str
    location: str
    kind: str
    frontmatter: dict[str, Any]
    root: Node
    citations: dict[str, Any]

    @property
    def title(self) -> str:
        return str(self.frontmatter.get("title") or self.slug)

    @property
    def is_notebook(self) -> bool:
        return self.kind == "Notebook"

    @functools.cached_property
    def anchors(self) -> dict[str, str]:
        """Label or identifier -> the id that stands in the HTML."""
        found: dict[str, str] = {}
        for node in walk(self.root):
            if node.get("html_id"):
                for key in ("label", "identifier"):
                    if node.get(key):
                        found.setdefault(str(node[key]), str(node["html_id"]))
        return found


@dataclass(frozen=True)
class Entry:
    """A line of the navigation: a page, or the title of a part."""

    title: str
    level: int
    page: Page | None


@dataclass(frozen=True)
class Site:
    """The whole project, pages in the order of its table of contents."""

    title: str
    description: str
    github: str | None
    license_name: str | None
    license_url: str | None
    logo_text: str
    entries: tuple[Entry, ...]
    public: Path
    base_url: str | None = None
    pdf: str | None = None

    @property
    def pages(self) -> list[Page]:
        return [entry.page for entry in self.entries if entry.page is not None]

    def page_at(self, url: str) -> Page | None:
        """The page that mystmd calls `/slug`; the first page is `/`."""
        slug = url.split("#")[0].strip("/").replace("/", ".")
        return self._by_slug.get(slug) if slug else self.pages[0]

    def alt_of(self, page: Page, label: str | None) -> str | None:
        """How a figure somewhere on the site describes the picture of this page's cell."""
        return self._alts.get((page.slug, label)) if label else None

    @functools.cached_property
    def _alts(self) -> dict[tuple[str, str | None], str]:
        found: dict[tuple[str, str | None], str] = {}
        for page in self.pages:
            for node in walk(page.root):
                alt, source = (node.get("data") or {}).get("alt"), node.get("source") or {}
                if alt and source.get("label"):
                    found.setdefault((str(source.get("slug")), source["label"]), str(alt))
        return found

    @functools.cached_property
    def _by_slug(self) -> dict[str, Page]:
        return {page.slug: page for page in self.pages}


def load_site(folder: Path, base_url: str | None = None, pdf: str | None = None) -> Site:
    """Read `_build/site` of a project; `base_url` and `pdf` are where the site will be, and its PDF, if anywhere."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    project = config["projects"][0]
    first = _page(folder, project["index"], "index.html")
    entries = [Entry(first.title, 1, first)]
    for item in project["pages"]:
        page = _page(folder, item["slug"]) if "slug" in item else None
        title = item.get("short_title") or item.get("title") or (page.title if page else "")
        entries.append(Entry(title, int(item.get("level", 1)), page))
    content = (project.get("license") or {}).get("content") or {}
    title = str(project.get("title") or config.get("title") or first.title)
    return Site(
        title=title,
        description=str(project.get("description") or ""),
        github=project.get("github"),
        license_name=content.get("name"),
        license_url=content.get("url"),
        logo_text=str((config.get("options") or {}).get("logo_text") or config.get("title") or title),
        entries=tuple(entries),
        public=folder / "public",
        base_url=base_url.rstrip("/") if base_url else None,
        pdf=pdf or None,
    )


def _page(folder: Path, slug: str, file: str | None = None) -> Page:
    data = json.loads((folder / "content" / f"{slug}.json").read_text(encoding="utf-8"))
    return Page(
        slug=slug,
        file=file or f"{slug}.html",
        location=data["location"],
        kind=data["kind"],
        frontmatter=data["frontmatter"],
        root=data["mdast"],
        citations=data["references"]["cite"],
    )
