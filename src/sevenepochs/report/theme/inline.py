"""Handlers of what stands inside a line: emphasis, links, references, citations, maths."""

from __future__ import annotations

import re

from sevenepochs.report.theme.renderer import Renderer, classes, handles, link
from sevenepochs.report.theme.site import Node
from sevenepochs.report.theme.tags import escape, tag

_MATHML = re.compile(r"<math\b.*?</math>", re.DOTALL)
_ANNOTATION = re.compile(r"<annotation\b.*?</annotation>", re.DOTALL)


@handles("emphasis")
def _emphasis(renderer: Renderer, node: Node) -> str:
    return tag("em", renderer.children(node))


@handles("strong")
def _strong(renderer: Renderer, node: Node) -> str:
    return tag("strong", renderer.children(node))


@handles("inlineCode")
def _inline_code(renderer: Renderer, node: Node) -> str:
    return tag("code", escape(node["value"]))


@handles("break")
def _break(renderer: Renderer, node: Node) -> str:
    return "<br>"


@handles("link")
def _link(renderer: Renderer, node: Node) -> str:
    content = renderer.children(node)
    url, style = node["url"], node.get("class")
    if node.get("static"):
        path = renderer.asset_link(renderer.assets.use(url))
        name = str(node.get("urlSource", url)).rsplit("/", 1)[-1]
        return link(path, content, download=name, class_=classes("download", style))
    if node.get("internal"):
        page = renderer.site.page_at(url)
        if page is None:
            raise renderer.refuse(node, f"links to {url}, which is no page of the site")
        return link(renderer.href(page, url.partition("#")[2] or None), content, class_=style)
    if url.startswith("#"):
        return link(renderer.href(renderer.page, url[1:]), content, class_=style)
    if not re.match(r"(https?|mailto):", url):
        raise renderer.refuse(
            node, f"links to {url!r}, which is neither a page or file of the project nor a web address"
        )
    return tag("a", content, href=url, class_=classes("external", style), rel="noopener")


@handles("crossReference")
def _cross_reference(renderer: Renderer, node: Node) -> str:
    if not node.get("resolved"):
        raise renderer.refuse(node, f"refers to {node.get('label') or node.get('identifier')!r}, which no page defines")
    page = renderer.site.page_at(node["url"]) if node.get("remote") else renderer.page
    if page is None:
        raise renderer.refuse(node, f"refers to {node.get('label')!r} on a page that is not part of the site")
    return link(renderer.href(page, node.get("html_id")), renderer.children(node), class_="reference")


@handles("cite")
def _cite(renderer: Renderer, node: Node) -> str:
    if node["label"] not in renderer.page.citations["data"]:
        raise renderer.refuse(node, f"cites {node['label']!r}, which no .bib file defines")
    renderer.cited.add(node["label"])
    return tag("a", renderer.children(node), href=f"#{renderer.id('cite-' + node['label'])}", class_="cite")


@handles("citeGroup")
def _cite_group(renderer: Renderer, node: Node) -> str:
    parts = [renderer.render(child) for child in node["children"]]
    if node.get("kind") == "narrative":
        return ", ".join(parts)
    if all(child["type"] == "crossReference" for child in node["children"]):
        return ", ".join(parts)  # [@fig-loss] names a figure, which wants no brackets
    return f'<span class="cites">({"; ".join(parts)})</span>'


@handles("inlineMath")
def _inline_math(renderer: Renderer, node: Node) -> str:
    return mathml(renderer, node)


@handles("math")
def _math(renderer: Renderer, node: Node) -> str:
    number = node.get("enumerator")
    label = tag("span", f"({escape(str(number))})", class_="equation-number") if number else ""
    return tag(
        "div",
        tag("div", mathml(renderer, node), class_="formula") + label,
        id=renderer.id(node.get("html_id")),
        class_="equation",
    )


def mathml(renderer: Renderer, node: Node) -> str:
    """The MathML half of what KaTeX made: browsers lay it out themselves, so no fonts or styles have to be shipped."""
    found = _MATHML.search(node.get("html", ""))
    if found is None or node.get("error"):
        raise renderer.refuse(node, f"the formula {node['value']!r} cannot be set: {node.get('message', 'no MathML')}")
    return _ANNOTATION.sub("", found.group())
