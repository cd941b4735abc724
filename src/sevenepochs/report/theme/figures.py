"""Handlers of what floats: figures, numbered tables and listings, images, cells embedded from notebooks.

A figure says at its top right where it comes from: the notebook's cell that drew it, or what its caption names.
"""

from __future__ import annotations

import re

from sevenepochs.report.theme.notebook import outputs
from sevenepochs.report.theme.renderer import Renderer, classes, handles, link
from sevenepochs.report.theme.site import Node, text_of, walk
from sevenepochs.report.theme.tags import escape, tag

_SOURCE = re.compile(r"\s*Source:\s*", re.IGNORECASE)
_LENGTH = re.compile(r"\d+(\.\d+)?(px|%|em|rem|cm|mm|in|pt)?")


@handles("container")
def _container(renderer: Renderer, node: Node) -> str:
    kind = str(node.get("kind", "figure"))
    captions = [child for child in node["children"] if child["type"] in {"caption", "legend"}]
    content = [child for child in node["children"] if child not in captions]
    source, captions = _source(renderer, node, captions)
    alt = _alt(renderer, node)
    body = "".join(_content(renderer, child, alt) for child in content)
    caption = tag("figcaption", "".join(renderer.children(child) for child in captions)) if captions else ""
    # A table or a listing is announced above, a figure explained below.
    parts = [source, caption, body] if kind in {"table", "code"} else [source, body, caption]
    style = classes("float", f"float-{kind}", node.get("class"))
    return tag("figure", "".join(parts), class_=style, id=renderer.id(node.get("html_id"))) + "\n"


def _alt(renderer: Renderer, node: Node) -> str | None:
    """The description of an embedded cell's picture: this figure's, or another's of the same cell."""
    source = node.get("source") or {}
    page = renderer.site.page_at(source["url"]) if source.get("url") else None
    return (node.get("data") or {}).get("alt") or (renderer.site.alt_of(page, source.get("label")) if page else None)


def _content(renderer: Renderer, node: Node, alt: str | None) -> str:
    if node["type"] == "outputs":
        # What a cell printed on the way stays on the notebook's page; a figure shows what it displayed.
        shown = [
            child
            for child in node["children"]
            if child["type"] == "output" and child["jupyter_data"]["output_type"] in {"display_data", "execute_result"}
        ]
        return outputs(renderer, {**node, "children": shown or node["children"]}, alt)
    return renderer.render(node)


def _source(renderer: Renderer, node: Node, captions: list[Node]) -> tuple[str, list[Node]]:
    """The source line, and the captions without the paragraph that gave it."""
    if "source" in node:
        return source_line(renderer, node), captions
    # mystmd calls the first paragraph the caption and those after it the legend.
    paragraphs = [paragraph for caption in captions for paragraph in caption.get("children", [])]
    last = paragraphs[-1] if len(paragraphs) > 1 else None
    if last and _SOURCE.match(text_of(last)) and any(child["type"] == "link" for child in walk(last)):
        html = tag("p", "Source: " + _SOURCE.sub("", renderer.children(last), count=1), class_="figure-source")
        return html, [{"type": "caption", "children": paragraphs[:-1]}]
    return "", captions


def source_line(renderer: Renderer, node: Node) -> str:
    """`Source: <notebook>`, linking to the cell.

    Raises:
        UserError: the cell has no anchor on the notebook's page.
    """
    source = node["source"]
    page = renderer.site.page_at(source.get("url") or "")
    name = page.anchors.get(source["label"]) if page else None
    if page is None or name is None:
        raise renderer.refuse(node, f"shows {source['label']!r}, which no page of the site holds")
    return tag("p", "Source: " + link(renderer.href(page, name), escape(page.title)), class_="figure-source")


@handles("image")
def _image(renderer: Renderer, node: Node) -> str:
    if re.match(r"[a-z]+:", node["url"]):
        raise renderer.refuse(node, f"shows an image from elsewhere: {node['url']}")
    width = str(node.get("width") or "")
    align = node.get("align")
    return tag(
        "img",
        src=renderer.assets.use(node["url"]),
        alt=str(node.get("alt") or ""),
        title=node.get("title"),
        style=f"width: {width}" if _LENGTH.fullmatch(width) else None,
        class_=classes("picture", f"align-{align}" if align else None, node.get("class")),
    )


@handles("captionNumber")
def _caption_number(renderer: Renderer, node: Node) -> str:
    return tag("span", escape(text_of(node)), class_="caption-number") + " "
