"""Handlers of plain blocks: paragraphs, headings, lists, tables, definitions, quotes, references."""

from __future__ import annotations

from sevenepochs.report.theme.renderer import Renderer, handles
from sevenepochs.report.theme.sanitise import sanitise
from sevenepochs.report.theme.site import Node, text_of
from sevenepochs.report.theme.tags import tag


@handles("root", "glossary")
def _transparent(renderer: Renderer, node: Node) -> str:
    return renderer.children(node)


@handles("paragraph")
def _paragraph(renderer: Renderer, node: Node) -> str:
    return tag("p", renderer.children(node), id=renderer.id(node.get("html_id")), class_=node.get("class")) + "\n"


@handles("heading")
def _heading(renderer: Renderer, node: Node) -> str:
    name = node.get("html_id")
    mark = ""
    if name and not renderer.whole:
        mark = tag("a", "#", href=f"#{name}", class_="anchor", aria_label=f"Link to: {text_of(node)}")
    return tag(f"h{node['depth']}", renderer.children(node) + mark, id=renderer.id(name)) + "\n"


@handles("list")
def _list(renderer: Renderer, node: Node) -> str:
    start = node.get("start")
    name = "ol" if node.get("ordered") else "ul"
    return tag(name, renderer.children(node), start=start if node.get("ordered") and start != 1 else None) + "\n"


@handles("listItem")
def _list_item(renderer: Renderer, node: Node) -> str:
    children = node.get("children", [])
    # A single paragraph needs no <p> of its own: the list stays tight.
    body = "".join(
        renderer.children(child) if child["type"] == "paragraph" and index == 0 else renderer.render(child)
        for index, child in enumerate(children)
    )
    return tag("li", body)


@handles("thematicBreak")
def _thematic_break(renderer: Renderer, node: Node) -> str:
    return "<hr>\n"


@handles("blockquote")
def _blockquote(renderer: Renderer, node: Node) -> str:
    return tag("blockquote", renderer.children(node)) + "\n"


@handles("table")
def _table(renderer: Renderer, node: Node) -> str:
    rows = node.get("children", [])
    heads = 0
    while heads < len(rows) and all(cell.get("header") for cell in rows[heads]["children"]):
        heads += 1
    head = "".join(_row(renderer, row, in_head=True) for row in rows[:heads])
    body = "".join(_row(renderer, row, in_head=False) for row in rows[heads:])
    table = tag("table", (tag("thead", head) if head else "") + tag("tbody", body), id=renderer.id(node.get("html_id")))
    # Wide tables scroll in their own box; a box that scrolls must be reachable from the keyboard.
    return tag("div", table, class_="table-box", tabindex=0, role="region", aria_label="Table") + "\n"


def _row(renderer: Renderer, row: Node, *, in_head: bool) -> str:
    cells = []
    for cell in row["children"]:
        header = bool(cell.get("header"))
        cells.append(
            tag(
                "th" if header else "td",
                renderer.children(cell),
                scope=("col" if in_head else "row") if header and text_of(cell).strip() else None,
                class_=f"align-{cell['align']}" if cell.get("align") else None,
            )
        )
    return tag("tr", "".join(cells))


@handles("definitionList")
def _definition_list(renderer: Renderer, node: Node) -> str:
    return tag("dl", renderer.children(node)) + "\n"


@handles("definitionTerm")
def _definition_term(renderer: Renderer, node: Node) -> str:
    return tag("dt", renderer.children(node), id=renderer.id(node.get("html_id")))


@handles("definitionDescription")
def _definition(renderer: Renderer, node: Node) -> str:
    return tag("dd", renderer.children(node))


def references(renderer: Renderer) -> str:
    """The entries of the bibliography that the page cites, under a heading; empty where it cites none."""
    citations = renderer.page.citations
    items = [
        tag("li", sanitise(citations["data"][label]["html"]), id=renderer.id(f"cite-{label}"))
        for label in citations["order"]
        if label in renderer.cited
    ]
    if not items:
        return ""
    body = tag("h2", "References") + tag("ol", "".join(items), class_="bibliography")
    return tag("section", body, class_="references")
