"""The input of the theme: the project's settings, one JSON tree per page, and the files that pages use.

The folder is mystmd's `_build/site`: config.json, content/<slug>.json, public/. Its format is mystmd's own and not
promised to stay (hence the pin `mystmd>=1.11,<1.12`): whatever is read from it is read here or in the node handlers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError

Node = dict[str, Any]
_PLACE_HASH = re.compile(r"-?[0-9a-f]{32}(?=\.|$)")


def walk(node: Node) -> Iterator[Node]:
    """Yield the node and all that stand below it, in reading order."""
    yield node
    for child in node.get("children", ()):
        yield from walk(child)


def text_of(node: Node) -> str:
    """Return the words of a node without markup."""
    if "value" in node and node.get("type") not in {"comment", "code"}:
        return str(node["value"])
    return "".join(text_of(child) for child in node.get("children", ()))


@dataclass(frozen=True)
class Page:
    """One page: `file` is its place in the site, `location` its source below the project root."""

    slug: str
    file: str
    location: str
    is_notebook: bool
    frontmatter: dict[str, Any]
    root: Node
    citations: dict[str, Any]

    @property
    def title(self) -> str:
        return str(self.frontmatter.get("title") or self.slug)

    @cached_property
    def anchors(self) -> dict[str, str]:
        """The id that stands in the HTML, by label and by identifier."""
        found: dict[str, str] = {}
        for node in walk(self.root):
            for key in ("label", "identifier"):
                if node.get("html_id") and node.get(key):
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
    project: dict[str, Any]  # mystmd's own settings: github, license
    logo_text: str
    entries: tuple[Entry, ...]
    public: Path
    base_url: str | None
    pdf: str | None

    def address(self, file: str) -> str | None:
        """Return the address of a file of the site; None where the site has no address."""
        return f"{self.base_url}/{'' if file == 'index.html' else file}" if self.base_url else None

    @cached_property
    def pages(self) -> list[Page]:
        return [entry.page for entry in self.entries if entry.page is not None]

    def page_at(self, url: str) -> Page | None:
        """Return the page that mystmd calls `/slug`; the first page is `/`."""
        slug = url.split("#")[0].strip("/").replace("/", ".")
        return next((page for page in self.pages if page.slug == slug), None) if slug else self.pages[0]

    @cached_property
    def alts(self) -> dict[tuple[str | None, str | None], str]:
        """How figures describe the pictures of notebook cells, by the notebook's slug and the cell's label."""
        found: dict[tuple[str | None, str | None], str] = {}
        for node in (node for page in self.pages for node in walk(page.root)):
            alt, source = (node.get("data") or {}).get("alt"), node.get("source") or {}
            if alt and source.get("label"):
                found.setdefault((source.get("slug"), source["label"]), str(alt))
        return found


def load_site(folder: Path, base_url: str | None = None, pdf: str | None = None) -> Site:
    """Read `_build/site` of a project; `base_url` is the site's address, `pdf` the file name of its PDF, if any."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    project = config["projects"][0]
    first = _page(folder, project["index"], "index.html")
    entries = [Entry(first.title, 1, first)]
    for item in project["pages"]:
        page = _page(folder, item["slug"], f"{item['slug']}.html") if "slug" in item else None
        title = item.get("short_title") or item.get("title") or (page.title if page else "")
        entries.append(Entry(title, int(item.get("level", 1)), page))
    title = str(project.get("title") or config.get("title") or first.title)
    return Site(
        title=title,
        description=str(project.get("description") or ""),
        project=project,
        logo_text=str((config.get("options") or {}).get("logo_text") or config.get("title") or title),
        entries=tuple(entries),
        public=folder / "public",
        base_url=base_url.rstrip("/") if base_url else None,
        pdf=pdf or None,
    )


def _page(folder: Path, slug: str, file: str) -> Page:
    data = json.loads((folder / "content" / f"{slug}.json").read_text(encoding="utf-8"))
    is_notebook, citations = data["kind"] == "Notebook", data["references"]["cite"]
    return Page(slug, file, data["location"], is_notebook, data["frontmatter"], data["mdast"], citations)


@dataclass(frozen=True)
class Assets:
    """The files that pages really use, copied once from mystmd's `public` folder; its other conversions stay behind."""

    public: Path
    out: Path

    def use(self, url: str) -> str:
        """Copy a file; return its path in the site.

        mystmd puts a hash of the file's *place* into its name, which would differ from build to build; the copy carries
        a hash of its content instead. Raises UserError: there is no such file.
        """
        source = self.public / url.lstrip("/")
        if not source.is_file():
            raise UserError(f"{url} is linked but no such file was found beside the page")
        return self.write(source.read_bytes(), source.suffix, stem=_PLACE_HASH.sub("", source.stem))

    def write(self, content: bytes, suffix: str, stem: str = "") -> str:
        """Store bytes under the hash of their content; return their path in the site."""
        name = f"{stem}{'-' * bool(stem)}{hashlib.sha256(content).hexdigest()[:16]}{suffix}"
        target = self.out / "assets" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return f"assets/{name}"

    def read(self, url: str) -> bytes:
        return (self.public / url.lstrip("/")).read_bytes()
