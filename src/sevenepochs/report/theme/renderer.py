"""From a node of mystmd's tree to HTML: a table of handlers by node type, and what they share about their page.

Handled are plain Markdown and what our pages use. A type without a handler stops the build: something that silently
disappears from a page is worse than no page.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from sevenepochs.errors import UserError
from sevenepochs.report.theme.site import Node, Page, Site
from sevenepochs.report.theme.tags import Attribute, escape, tag

Handler = Callable[["Renderer", Node], str]
HANDLERS: dict[str, Handler] = {}
_PLACE_HASH = re.compile(r"-?[0-9a-f]{32}$")


def handles(*types: str) -> Callable[[Handler], Handler]:
    """Register a handler for node types."""

    def register(handler: Handler) -> Handler:
        for name in types:
            assert name not in HANDLERS, f"two handlers for {name}"
            HANDLERS[name] = handler
        return handler

    return register


class Assets:
    """The files that pages really use, copied once; mystmd's other conversions stay behind."""

    def __init__(self, public: Path, out: Path) -> None:
        self._public = public
        self._out = out

    def use(self, url: str) -> str:
        """Copy a file of mystmd's public folder; returns its path in the site.

        mystmd puts a hash of the file's *place* into its name, which would differ from build to build; the copy carries
        a hash of its content instead.
        """
        source = self._public / url.lstrip("/")
        if not source.is_file():
            raise UserError(f"{url} is linked but no such file was found beside the page")
        return self.write(source.read_bytes(), source.suffix, stem=_PLACE_HASH.sub("", source.stem))

    def write(self, content: bytes, suffix: str, stem: str = "") -> str:
        """Store bytes under the hash of their content; returns their path in the site."""
        name = f"{stem}{'-' * bool(stem)}{hashlib.sha256(content).hexdigest()[:16]}{suffix}"
        target = self._out / "assets" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return f"assets/{name}"

    def read(self, url: str) -> bytes:
        return (self._public / url.lstrip("/")).read_bytes()


class Renderer:
    """Renders one page's nodes. `whole` is the one-page edition for print, where all pages share a file and its ids."""

    def __init__(self, site: Site, page: Page, assets: Assets, *, whole: bool = False) -> None:
        self.site = site
        self.page = page
        self.assets = assets
        self.whole = whole
        self.cited: set[str] = set()

    def render(self, node: Node) -> str:
        """HTML of one node.

        Raises:
            UserError: no handler for its type, or a handler refused; the page and line are named.
        """
        handler = HANDLERS.get(node["type"])
        if handler is None:
            raise self.refuse(node, f"the theme cannot show a node of type {node['type']!r}")
        return handler(self, node)

    def children(self, node: Node) -> str:
        return "".join(self.render(child) for child in node.get("children", ()))

    def refuse(self, node: Node, reason: str) -> UserError:
        line = node.get("position", {}).get("start", {}).get("line")
        where = f"{self.page.location.lstrip('/')}{f', line {line}' if line else ''}"
        return UserError(f"{where}: {reason}")

    def id(self, name: str | None) -> str | None:
        """The id of something on this page."""
        if not name:
            return None
        return f"{self.page.slug}--{name}" if self.whole else name

    def href(self, page: Page, name: str | None = None) -> str | None:
        """A link to a page or an anchor on it; None where print has no such place (notebooks, without an address)."""
        if not self.whole:
            fragment = f"#{name}" if name else ""
            return fragment if page is self.page and name else page.file + fragment
        if page.is_notebook:
            return self.published(page.file + (f"#{name}" if name else ""))
        return f"#{page.slug}--{name}" if name else f"#{page.slug}"

    def published(self, path: str) -> str | None:
        """The address of a file of the site as print can give it."""
        return f"{self.site.base_url}/{path}" if self.site.base_url else None

    def asset_link(self, path: str) -> str | None:
        """A link to a copied file."""
        return self.published(path) if self.whole else path


def link(href: str | None, content: str, **attributes: Attribute) -> str:
    """`<a>`, or the bare words where there is nothing to link to."""
    return tag("a", content, href=href, **attributes) if href else f"<span>{content}</span>"


def classes(*names: str | None) -> str | None:
    """Class names joined, empty ones dropped."""
    return " ".join(name for name in names if name) or None


@handles("text")
def _text(renderer: Renderer, node: Node) -> str:
    return escape(node["value"])
