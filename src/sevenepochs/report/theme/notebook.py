"""Handlers of notebook pages: cells, their code, their outputs."""

from __future__ import annotations

from sevenepochs.report.theme.highlight import listing
from sevenepochs.report.theme.outputs import output_html
from sevenepochs.report.theme.renderer import Renderer, classes, handles
from sevenepochs.report.theme.site import Node, Page, Site
from sevenepochs.report.theme.tags import escape, tag


@handles("block")
def _block(renderer: Renderer, node: Node) -> str:
    if node.get("visibility") == "remove":
        return ""
    content = renderer.children(node)
    name = renderer.id(node.get("html_id"))
    style = "cell" if node.get("kind") == "notebook-code" else None
    return tag("div", content, class_=style, id=name) + "\n" if style or name else content


@handles("code")
def _code(renderer: Renderer, node: Node) -> str:
    if node.get("visibility") == "remove":
        return ""
    html = listing(node["value"], node.get("lang"), renderer.id(node.get("html_id")))
    return tag("div", html, class_="cell-input") if node.get("executable") else html


@handles("outputs")
def _outputs(renderer: Renderer, node: Node) -> str:
    label = str(node.get("identifier") or "").removesuffix("-outputs")
    return outputs(renderer, node, renderer.site.alt_of(renderer.page, label) or "Picture drawn by the code above")


def outputs(renderer: Renderer, node: Node, alt: str | None) -> str:
    """A cell's outputs; `alt` describes its picture."""
    if node.get("visibility") == "remove" or not node.get("children"):
        return ""
    parts = []
    for child in node["children"]:
        if child["type"] != "output":
            parts.append(renderer.render(child))  # a placeholder image for places that cannot show the output
            continue
        html = output_html(renderer, child, alt)
        name = renderer.id(child.get("html_id"))
        parts.append(tag("div", html, id=name) if name else html)
    return tag("div", "".join(parts), class_="outputs", id=renderer.id(node.get("html_id"))) + "\n"


def notebook_bar(site: Site, page: Page, source: str) -> str:
    """What stands above a notebook: run it on Colab, or download it. `source` is the path of its .ipynb in the site."""
    name = page.location.rsplit("/", 1)[-1]
    download = tag("a", f"Download {escape(name)}", href=source, download=name, class_="button")
    if site.github:
        repository = site.github.removesuffix("/").removesuffix(".git").removeprefix("https://github.com/")
        url = f"https://colab.research.google.com/github/{repository}/blob/main{page.location}"
        colab = tag("a", "Open in Colab", href=url, rel="noopener", class_="button primary external")
    else:
        hint = "Colab needs a public repository, and the project names none (github in myst.yml)."
        colab = tag("span", hint, class_="bar-note")
    return tag("div", colab + download, class_=classes("notebook-bar")) + "\n"
