"""HTML that came out of a notebook, made harmless: known elements and attributes stay, all else goes.

No script, no style, no handler, no form, nothing that a browser would fetch from elsewhere. An allow list, since a
list of what is forbidden is never complete.
"""

from __future__ import annotations

from html.parser import HTMLParser

from sevenepochs.report.theme.tags import VOID, escape

_ALLOWED_NAMES = """a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure hr i
img ins kbd li mark ol p pre s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var wbr"""
_DROPPED_NAMES = "script style template iframe object svg math head title noscript textarea select"
_ATTRIBUTE_NAMES = "class colspan rowspan scope title alt width height align start href src"
_ALLOWED = frozenset(_ALLOWED_NAMES.split())
_DROPPED_WITH_CONTENT = frozenset(_DROPPED_NAMES.split())
_ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split())
# An output's headings are not the page's: they would tear its outline.
_HEADINGS = {f"h{level}": "p" for level in range(1, 7)}


def sanitise(html: str) -> str:
    """The same content without anything active or fetched; unclosed elements are closed."""
    parser = _Sanitiser()
    parser.feed(html)
    parser.close()
    return parser.finish()


class _Sanitiser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._open: list[str] = []
        self._dropping: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        tag = _HEADINGS.get(tag, tag)
        if tag in _DROPPED_WITH_CONTENT:
            self._dropping.append(tag)
        if self._dropping or tag not in _ALLOWED:
            return
        kept = "".join(
            f' {name}="{escape(value)}"' for name, value in attrs if value is not None and _keeps(tag, name, value)
        )
        if tag == "img" and "src=" not in kept:
            return
        self._out.append(f"<{tag}{kept}>")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        tag = _HEADINGS.get(tag, tag)
        if self._dropping:
            if tag in self._dropping:
                del self._dropping[self._dropping.index(tag) :]
        elif tag in self._open:
            while self._open:
                closing = self._open.pop()
                self._out.append(f"</{closing}>")
                if closing == tag:
                    break

    def handle_data(self, data: str) -> None:
        if not self._dropping:
            self._out.append(escape(data))

    def finish(self) -> str:
        return "".join(self._out) + "".join(f"</{tag}>" for tag in reversed(self._open))


def _keeps(tag: str, name: str, value: str) -> bool:
    if name not in _ATTRIBUTES:
        return False
    if name == "src":
        return tag == "img" and value.startswith("data:image/") and not value.startswith("data:image/svg")
    if name == "href":
        return tag == "a" and value.startswith(("https://", "http://", "mailto:"))
    return True
