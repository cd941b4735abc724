"""An HTML file as a flat list of its elements, read by lxml: enough to check a page with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where another element begins or ends, so does a word; inside a line it need not.
_INLINE_NAMES = "a abbr b code em i kbd mark s samp small span strong sub sup u var"
_INLINE = frozenset(_INLINE_NAMES.split())
_CODE = {"pre", "code", "script", "style"}


@dataclass(frozen=True)
class Element:
    """One element; `text` is all text in it, `prose` the same without code."""

    node: Any

    @property
    def name(self) -> str:
        return str(self.node.tag)

    @property
    def attributes(self) -> dict[str, str]:
        return dict(self.node.attrib)

    @property
    def text(self) -> str:
        return "".join(_words(self.node, without=frozenset()))

    @property
    def prose(self) -> str:
        return "".join(_words(self.node, without=_CODE))

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def ancestor(self, name: str) -> Element | None:
        """Return the nearest element of that name around this one."""
        above = next(self.node.iterancestors(name), None)
        return None if above is None else Element(above)

    def is_inside(self, other: Element) -> bool:
        return any(above is other.node for above in self.node.iterancestors())


def parse(path: Path) -> list[Element]:
    """Return the elements of a file in the order they begin."""
    from lxml import html

    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    root = html.parse(str(path), parser).getroot()
    return [Element(node) for node in root.iter() if isinstance(node.tag, str)]


def _words(node: Any, without: Any) -> Iterator[str]:
    if node.tag not in without and isinstance(node.tag, str):
        yield node.text or ""
        for child in node:
            edge = "" if child.tag in _INLINE else "\n"
            yield edge
            yield from _words(child, without)
            yield edge
            yield child.tail or ""
