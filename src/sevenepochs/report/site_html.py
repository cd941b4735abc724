"""An HTML file as a flat list of its elements, each knowing its parents and its text: enough to check a page with."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

# Where one of these begins or ends, so does a word; inside a line it need not.
_INLINE_NAMES = "a abbr b code em i kbd mark s samp small span strong sub sup u var"
_INLINE = frozenset(_INLINE_NAMES.split())
_VOID = set(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])


@dataclass(eq=False)
class Element:
    """One element; `text` is all text in it, `prose` the same without code."""

    name: str
    attributes: dict[str, str]
    parent: Element | None
    _text: list[str] = field(default_factory=list)
    _prose: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def prose(self) -> str:
        return "".join(self._prose)

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def ancestor(self, name: str) -> Element | None:
        """The nearest element of that name around this one."""
        above = self.parent
        while above is not None and above.name != name:
            above = above.parent
        return above

    def is_inside(self, other: Element) -> bool:
        above = self.parent
        while above is not None and above is not other:
            above = above.parent
        return above is other


def parse(path: Path) -> list[Element]:
    """The elements of a file in the order they begin."""
    parser = _Parser()
    parser.feed(path.read_text(encoding="utf-8"))
    parser.close()
    return parser.elements


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._current: Element | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self._current)
        self.elements.append(element)
        self._end_word(tag)
        if tag not in _VOID:
            self._current = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}, self._current))

    def handle_endtag(self, tag: str) -> None:
        element = self._current
        while element is not None and element.name != tag:
            element = element.parent
        if element is not None:
            self._current = element.parent
            self._end_word(tag)

    def handle_data(self, data: str) -> None:
        element = self._current
        code = False
        while element is not None:
            code = code or element.name in {"pre", "code", "script", "style"}
            element._text.append(data)
            if not code:
                element._prose.append(data)
            element = element.parent

    def _end_word(self, tag: str) -> None:
        if tag not in _INLINE:
            self.handle_data("\n")
