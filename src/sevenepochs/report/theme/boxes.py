"""The handler of admonitions: note, tip, warning and their like."""

from __future__ import annotations

from sevenepochs.report.theme.renderer import Renderer, handles
from sevenepochs.report.theme.site import Node
from sevenepochs.report.theme.tags import escape, tag


@handles("admonition")
def _admonition(renderer: Renderer, node: Node) -> str:
    kind = str(node.get("kind") or "note")
    title, body = escape(kind.capitalize()), []
    for child in node.get("children", ()):
        if child["type"] == "admonitionTitle":
            title = renderer.children(child)
        else:
            body.append(renderer.render(child))
    head = tag("p", title, class_="admonition-title")
    style = f"admonition {kind}"
    return tag("div", head + "".join(body), class_=style, role="note", id=renderer.id(node.get("html_id"))) + "\n"
