"""HTML that came out of a notebook, made harmless by nh3 (ammonia): known elements and attributes stay, all else goes.

No script, no style, no handler, no form, nothing that a browser would fetch from elsewhere. An allow list, since a
list of what is forbidden is never complete.
"""

from __future__ import annotations

import re

_TAGS = """a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure hr i
img ins kbd li mark ol p pre s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var wbr"""
_DROPPED_WITH_CONTENT = "script style template iframe object svg math head title noscript textarea select"
_ATTRIBUTES = "class colspan rowspan scope title alt width height align start"
_HEADING = re.compile(r"(</?)h[1-6]\b", re.IGNORECASE)
_IMAGE = re.compile(r"data:image/(?!svg)")
_LINK = re.compile(r"https?://|mailto:")
# In nh3's output a value stands in double quotes and holds none; so the whole element is matched, never a part of it.
_WITHOUT_SOURCE = re.compile(r"""<img(?: (?!src=)[a-z]+="[^"]*")*>""")


def sanitise(html: str) -> str:
    """Return the same content without anything active or fetched; unclosed elements are closed.

    Headings become paragraphs: an output's headings are not the page's and would tear its outline.
    """
    import nh3

    clean = nh3.clean(
        _HEADING.sub(r"\1p", html),
        tags=set(_TAGS.split()),
        clean_content_tags=set(_DROPPED_WITH_CONTENT.split()),
        attributes={"*": set(_ATTRIBUTES.split()), "a": {"href"}, "img": {"src"}},
        attribute_filter=_filtered,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel=None,
    )
    return _WITHOUT_SOURCE.sub("", clean)  # an image whose source was not kept shows nothing


def _filtered(element: str, attribute: str, value: str) -> str | None:
    if attribute == "src":
        return value if _IMAGE.match(value) else None
    if attribute == "href":
        return value if _LINK.match(value) else None
    return value
