"""Handlers of plain blocks: paragraphs, headings, lists, tables, definitions, quotes, footnotes, references."""

from __future__ import annotations

from sevenepochs.report.theme.renderer import Renderer, classes, handles
from sevenepochs.report.theme.sanitise import sanitise
from sevenepochs.report.theme.site import Node, text_of
from sevenepochs.report.theme.tags import escape, tag

_TRANSPARENT = ("root", "include", "glossary")


@handles(*_TRANSPARENT)
def _transparent(renderer: Renderer, node: Node) -> str:
    return renderer.children(node)


@handles("div")
def _div(renderer: Renderer, node: Node) -> str:
    return tag("div", renderer.children(node), class_=node.get("class"), id=renderer.id(node.get("html_id")))


@handles("paragraph")
def _paragraph(renderer: Renderer, node: Node) -> str:
    return tag("p", renderer.children(node), id=renderer.id(node.get("html_id")), class_=node.get("class")) + "\n"


@handles("heading")
def _heading(renderer: Renderer, node: Node) -> str:
    name = node.get("html_id")
    mark = ""
    if name and not renderer.whole:
        mark = tag("a", "#", href=f"#{name}", class_="anchor", aria_label=f"Link to: {text_of(node)}")
    number = (
        tag("span", f"{escape(str(node['enumerator']))} ", class_="heading-number") if node.get("enumerator") else ""
    )
    return tag(f"h{node['depth']}", number + renderer.children(node) + mark, id=renderer.id(name)) + "\n"


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
    if "checked" in node and node["checked"] is not None:
        state = "done" if node["checked"] else "open"
        box = tag("span", "☑ " if node["checked"] else "☐ ", class_="box", role="img", aria_label=state)
        return tag("li", box + body, class_="task")
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
                colspan=cell.get("colspan"),
                rowspan=cell.get("rowspan"),
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


@handles("footnoteDefinition")
def _footnote(renderer: Renderer, node: Node) -> str:
    renderer.footnotes.append(node)  # shown together at the end of the page
    return ""


@handles("bibliography")
def _bibliography(renderer: Renderer, node: Node) -> str:
    renderer.has_bibliography = True
    return bibliography(renderer, list(renderer.page.citations["order"]))


def bibliography(renderer: Renderer, labels: list[str]) -> str:
    """The entries of this page's citations."""
    data = renderer.page.citations["data"]
    items = [tag("li", sanitise(data[label]["html"]), id=renderer.id(f"cite-{label}")) for label in labels]
    return tag("ol", "".join(items), class_="bibliography")


def end_matter(renderer: Renderer) -> str:
    """Footnotes, then the references that the page cites, unless it placed them itself."""
    parts = []
    if renderer.footnotes:
        notes = []
        for node in renderer.footnotes:
            back = tag(
                "a",
                "↩",
                href=f"#{renderer.id('fnref-' + node['identifier'])}",
                aria_label=f"Back to the text at footnote {node['enumerator']}",
            )
            body = renderer.children(node)
            notes.append(
                tag("li", f"{body}{back}", id=renderer.id(f"fn-{node['identifier']}"), value=node["enumerator"])
            )
        parts.append(tag("section", tag("h2", "Notes") + tag("ol", "".join(notes)), class_="footnotes"))
    # Rendering the footnotes may have cited more, so the references come last.
    labels = [label for label in renderer.page.citations["order"] if label in renderer.cited]
    if labels and not renderer.has_bibliography:
        parts.append(tag("section", tag("h2", "References") + bibliography(renderer, labels), class_="references"))
    return "".join(parts)


@handles("aside")
def _aside(renderer: Renderer, node: Node) -> str:
    # A <div>, not <aside>: a landmark may not stand inside <main>.
    return tag("div", renderer.children(node), class_=classes("aside", node.get("kind")), role="note")
