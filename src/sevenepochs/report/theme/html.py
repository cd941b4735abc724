"""HTML as strings: text goes through `escape`, elements come from `tag`, code from `listing`, and the HTML of a
notebook's outputs through `sanitise`."""

from __future__ import annotations

import re
from html import escape

__all__ = ["escape", "link", "listing", "sanitise", "tag"]
_VOID = {"br", "hr", "img", "input", "link", "meta", "col", "wbr"}
# An allow list, since a list of what is forbidden is never complete.
_TAGS = """a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure hr i
img ins kbd li mark ol p pre s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var wbr"""
_DROPPED_WITH_CONTENT = "script style template iframe object svg math head title noscript textarea select"
_ATTRIBUTES = "class colspan rowspan scope title alt width height align start"
_ALLOWED_URLS = {"src": re.compile(r"data:image/(?!svg)"), "href": re.compile(r"https?://|mailto:")}
_HEADING = re.compile(r"(</?)h[1-6]\b", re.IGNORECASE)
# In nh3's output a value stands in double quotes and holds none; so the whole element is matched, never a part of it.
_WITHOUT_SOURCE = re.compile(r"""<img(?: (?!src=)[a-z]+="[^"]*")*>""")

Attribute = str | int | bool | tuple[str | None, ...] | None


def tag(element: str, markup: str = "", /, **attributes: Attribute) -> str:
    """Return one element around markup.

    `class_` is class, `aria_label` aria-label. None and False leave an attribute out, True leaves its value out, a
    tuple is joined by spaces without its empty members.
    """
    head = element
    for key, value in attributes.items():
        if isinstance(value, tuple):
            value = " ".join(filter(None, value)) or None
        if value is not None and value is not False:
            name = key.rstrip("_").replace("_", "-")
            head += f" {name}" if value is True else f' {name}="{escape(str(value))}"'
    return f"<{head}>" if element in _VOID else f"<{head}>{markup}</{element}>"


def link(href: str | None, content: str, **attributes: Attribute) -> str:
    """Return `<a>`, or the bare words where there is nothing to link to."""
    return tag("a", content, href=href, **attributes) if href else f"<span>{content}</span>"


def listing(code: str, language: str | None, html_id: str | None = None) -> str:
    """Return a listing whose tokens carry the classes that site.css colours; an unknown language has one colour.

    site.js adds the Copy button.
    """
    import pygments
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language or "text", stripnl=False)
    except ClassNotFound:
        lexer = get_lexer_by_name("text", stripnl=False)
    lines = pygments.highlight(code, lexer, HtmlFormatter(nowrap=True)).removesuffix("\n")
    return tag("div", tag("pre", tag("code", lines), tabindex=0), class_="listing", id=html_id) + "\n"


def sanitise(html: str) -> str:
    """Return the same content without anything active, styled or fetched; unclosed elements are closed.

    Headings become paragraphs: an output's headings are not the page's and would tear its outline.
    """
    import nh3

    def allowed(element: str, attribute: str, value: str) -> str | None:
        known = _ALLOWED_URLS.get(attribute)
        return value if known is None or known.match(value) else None

    clean = nh3.clean(
        _HEADING.sub(r"\1p", html),
        tags=set(_TAGS.split()),
        clean_content_tags=set(_DROPPED_WITH_CONTENT.split()),
        attributes={"*": set(_ATTRIBUTES.split()), "a": {"href"}, "img": {"src"}},
        attribute_filter=allowed,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel=None,
    )
    return _WITHOUT_SOURCE.sub("", clean)  # an image whose source was not kept shows nothing
