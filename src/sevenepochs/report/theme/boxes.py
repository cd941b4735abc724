"""Handlers of boxes: admonitions, dropdowns, cards, grids, tabs, exercises and proofs."""

from __future__ import annotations

from sevenepochs.report.theme.renderer import Renderer, classes, handles
from sevenepochs.report.theme.site import Node
from sevenepochs.report.theme.tags import escape, tag

_KINDS = ("note", "tip", "hint", "important", "seealso", "attention", "caution", "warning", "danger", "error")


@handles("admonition")
def _admonition(renderer: Renderer, node: Node) -> str:
    names = str(node.get("class") or "").split()
    kind = node.get("kind") or next((name for name in names if name in _KINDS), "note")
    title, body = _titled(renderer, node, str(kind).capitalize())
    style = classes("admonition", kind, *(name for name in names if name not in {kind, "dropdown"}))
    if "dropdown" in names:
        head = tag("summary", title, class_="admonition-title")
        content = tag("div", body, class_="admonition-body")
        return (
            tag(
                "details",
                head + content,
                class_=style,
                open=bool(node.get("open")),
                id=renderer.id(node.get("html_id")),
            )
            + "\n"
        )
    head = "" if "simple" in names and not title else tag("p", title, class_="admonition-title")
    return tag("div", head + body, class_=style, role="note", id=renderer.id(node.get("html_id"))) + "\n"


def _titled(renderer: Renderer, node: Node, default: str) -> tuple[str, str]:
    """The title's markup and the body's."""
    title, body = escape(default), []
    for child in node.get("children", ()):
        if child["type"] == "admonitionTitle":
            title = renderer.children(child)
        else:
            body.append(renderer.render(child))
    return title, "".join(body)


@handles("admonitionTitle")
def _loose_title(renderer: Renderer, node: Node) -> str:
    return tag("p", renderer.children(node), class_="admonition-title")


@handles("details")
def _details(renderer: Renderer, node: Node) -> str:
    return (
        tag(
            "details",
            renderer.children(node),
            open=bool(node.get("open")),
            class_=classes("dropdown", node.get("class")),
        )
        + "\n"
    )


@handles("summary")
def _summary(renderer: Renderer, node: Node) -> str:
    return tag("summary", renderer.children(node))


@handles("grid")
def _grid(renderer: Renderer, node: Node) -> str:
    columns = [int(count) for count in node.get("columns", [1, 2, 2, 3])]
    return tag("div", renderer.children(node), class_="grid", style=f"--columns: {max(columns)}") + "\n"


@handles("card")
def _card(renderer: Renderer, node: Node) -> str:
    children = list(node.get("children", ()))
    if node.get("url"):
        target = {**node, "type": "link"}
        titles = [child for child in children if child["type"] == "cardTitle"]
        if not titles:
            raise renderer.refuse(node, "a card with a link needs a title that carries it")
        at = children.index(titles[0])
        children[at] = {"type": "cardTitle", "children": [{**target, "children": titles[0].get("children", [])}]}
    style = classes("card", "linked" if node.get("url") else None, node.get("class"))
    return tag("div", "".join(renderer.render(child) for child in children), class_=style) + "\n"


@handles("cardTitle")
def _card_title(renderer: Renderer, node: Node) -> str:
    return tag("p", renderer.children(node), class_="card-title")


@handles("header")
def _header(renderer: Renderer, node: Node) -> str:
    return tag("div", renderer.children(node), class_="card-header")


@handles("footer")
def _footer(renderer: Renderer, node: Node) -> str:
    return tag("div", renderer.children(node), class_="card-footer")


@handles("tabSet")
def _tab_set(renderer: Renderer, node: Node) -> str:
    # Without JavaScript, and in print, the panels stand one below the other under their titles.
    return tag("div", renderer.children(node), class_="tabs") + "\n"


@handles("tabItem")
def _tab_item(renderer: Renderer, node: Node) -> str:
    title = tag("p", escape(node["title"]), class_="tab-title")
    return tag(
        "div", title + renderer.children(node), class_="tab", data_title=node["title"], data_sync=node.get("sync")
    )


@handles("exercise", "proof", "solution")
def _statement(renderer: Renderer, node: Node) -> str:
    kind = str(node.get("kind") or node["type"])
    number = f" {node['enumerator']}" if node.get("enumerator") else ""
    title, body = _titled(renderer, node, "")
    label = escape(f"{kind.capitalize()}{number}")
    if node["type"] == "solution" and title:
        label, title = title, ""
    head = tag("p", f"{label} ({title})" if title else label, class_="admonition-title")
    return (
        tag("div", head + body, class_=f"admonition statement {kind}", role="note", id=renderer.id(node.get("html_id")))
        + "\n"
    )
