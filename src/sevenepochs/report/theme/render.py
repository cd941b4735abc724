"""Renderer of mystmd's node trees: one method `on_<type>` per node type, and what the methods share about their page.

Handled are plain Markdown and what our pages use. A type without a method stops the build: something that silently
disappears from a page is worse than no page.
"""

from __future__ import annotations

import re

from sevenepochs.errors import UserError
from sevenepochs.report.theme.html import escape, link, listing, sanitise, tag
from sevenepochs.report.theme.outputs import output_html
from sevenepochs.report.theme.site import Assets, Node, Page, Site, text_of, walk

# Types that are one element around their children, and what follows the element.
_ELEMENTS = {
    "emphasis": ("em", ""),
    "strong": ("strong", ""),
    "break": ("br", ""),
    "span": ("span", ""),
    "paragraph": ("p", "\n"),
    "blockquote": ("blockquote", "\n"),
    "div": ("div", "\n"),
    "thematicBreak": ("hr", "\n"),
    "definitionList": ("dl", "\n"),
    "definitionTerm": ("dt", ""),
    "definitionDescription": ("dd", ""),
}
_SOURCE = re.compile(r"\s*Source:\s*", re.IGNORECASE)
_LENGTH = re.compile(r"\d+(\.\d+)?(px|%|em|rem|cm|mm|in|pt)?")
_MATHML = re.compile(r"<math\b.*?</math>", re.DOTALL)
_ANNOTATION = re.compile(r"<annotation\b.*?</annotation>", re.DOTALL)


class Renderer:
    """Renders one page's nodes. `whole` is the one-page edition for print, where all pages share a file and its ids."""

    def __init__(self, site: Site, page: Page, assets: Assets, *, whole: bool) -> None:
        self.site, self.page, self.assets, self.whole = site, page, assets, whole
        self._cited: set[str] = set()

    def render(self, node: Node) -> str:
        """Return the HTML of one node. Raises UserError: its type is unknown, or it cannot be shown; the page and line
        are named."""
        kind = node["type"]
        if node.get("visibility") == "remove":
            return ""
        if kind in _ELEMENTS:
            element, end = _ELEMENTS[kind]
            name = self._id(node.get("html_id"))
            return tag(element, self._children(node), id=name, class_=node.get("class")) + end
        method = getattr(self, f"on_{kind}", None)
        if method is None:
            raise self._refused(node, f"the theme cannot show a node of type {kind!r}")
        html: str = method(node)
        return html

    def references(self) -> str:
        """Return the entries of the bibliography that the page cites, under a heading; "" where it cites none."""
        citations = self.page.citations
        items = [
            tag("li", sanitise(citations["data"][label]["html"]), id=self._id(f"cite-{label}"))
            for label in citations["order"]
            if label in self._cited
        ]
        body = tag("h2", "References") + tag("ol", "".join(items), class_="bibliography")
        return tag("section", body, class_="references") if items else ""

    def _children(self, node: Node) -> str:
        return "".join(self.render(child) for child in node.get("children", ()))

    on_root = on_glossary = _children

    def _refused(self, node: Node, reason: str) -> UserError:
        line = node.get("position", {}).get("start", {}).get("line")
        where = f"{self.page.location.lstrip('/')}{f', line {line}' if line else ''}"
        return UserError(f"{where}: {reason}")

    def _id(self, name: str | None) -> str | None:
        """Return the id of something on this page."""
        return f"{self.page.slug}--{name}" if name and self.whole else name or None

    def _href(self, page: Page, name: str | None) -> str | None:
        """Return a link to a page or an anchor on it; None where print has no such place (notebooks)."""
        fragment = f"#{name}" if name else ""
        if self.whole:
            if page.is_notebook:
                return self.site.address(page.file + fragment)
            return f"#{page.slug}--{name}" if name else f"#{page.slug}"
        return fragment if page is self.page and name else page.file + fragment

    # Inside a line

    def on_text(self, node: Node) -> str:
        return escape(node["value"])

    def on_inlineCode(self, node: Node) -> str:
        return tag("code", escape(node["value"]))

    def on_link(self, node: Node) -> str:
        content = self._children(node)
        url, style = node["url"], node.get("class")
        if node.get("static"):
            path, name = self.assets.use(url), str(node.get("urlSource", url)).rsplit("/", 1)[-1]
            href = self.site.address(path) if self.whole else path
            return link(href, content, download=name, class_=("download", style))
        if node.get("internal") or url.startswith("#"):
            page = self.page if url.startswith("#") else self.site.page_at(url)
            if page is None:
                raise self._refused(node, f"links to {url}, which is no page of the site")
            return link(self._href(page, url.partition("#")[2]), content, class_=style)
        if not re.match(r"(https?|mailto):", url):
            raise self._refused(node, f"links to {url!r}, neither a page or file of the project nor a web address")
        return tag("a", content, href=url, class_=("external", style), rel="noopener")

    def on_crossReference(self, node: Node) -> str:
        told = node.get("label") or node.get("identifier")
        if not node.get("resolved"):
            raise self._refused(node, f"refers to {told!r}, which no page defines")
        page = self.site.page_at(node["url"]) if node.get("remote") else self.page
        if page is None:
            raise self._refused(node, f"refers to {told!r} on a page that is not part of the site")
        return link(self._href(page, node.get("html_id")), self._children(node), class_="reference")

    def on_cite(self, node: Node) -> str:
        if node["label"] not in self.page.citations["data"]:
            raise self._refused(node, f"cites {node['label']!r}, which no .bib file defines")
        self._cited.add(node["label"])
        return tag("a", self._children(node), href=f"#{self._id('cite-' + node['label'])}", class_="cite")

    def on_citeGroup(self, node: Node) -> str:
        parts = [self.render(child) for child in node["children"]]
        # [@fig-loss] names a figure, which wants no brackets
        if node.get("kind") == "narrative" or all(child["type"] == "crossReference" for child in node["children"]):
            return ", ".join(parts)
        return f'<span class="cites">({"; ".join(parts)})</span>'

    def on_inlineMath(self, node: Node) -> str:
        """The MathML half of what KaTeX made: browsers lay it out themselves, without fonts or styles of ours."""
        found = _MATHML.search(node.get("html", ""))
        if found is None or node.get("error"):
            reason = node.get("message", "no MathML")
            raise self._refused(node, f"the formula {node['value']!r} cannot be set: {reason}")
        return _ANNOTATION.sub("", found.group())

    def on_captionNumber(self, node: Node) -> str:
        return tag("span", escape(text_of(node)), class_="caption-number") + " "

    # Blocks

    def on_heading(self, node: Node) -> str:
        name = node.get("html_id")
        label = f"Link to: {text_of(node)}"
        mark = tag("a", "#", href=f"#{name}", class_="anchor", aria_label=label) if name and not self.whole else ""
        return tag(f"h{node['depth']}", self._children(node) + mark, id=self._id(name)) + "\n"

    def on_list(self, node: Node) -> str:
        if not node.get("ordered"):
            return tag("ul", self._children(node)) + "\n"
        start = node.get("start")
        return tag("ol", self._children(node), start=start if start != 1 else None) + "\n"

    def on_listItem(self, node: Node) -> str:
        # A paragraph at the beginning needs no <p> of its own: the list stays tight.
        first, *others = node.get("children") or [{"type": "root"}]
        head = self._children(first) if first["type"] == "paragraph" else self.render(first)
        return tag("li", head + "".join(map(self.render, others)))

    def on_admonition(self, node: Node) -> str:
        kind, children = str(node.get("kind") or "note"), node.get("children", [])
        titles = [child for child in children if child["type"] == "admonitionTitle"]
        title = self._children(titles[0]) if titles else escape(kind.capitalize())
        body = "".join(self.render(child) for child in children if child not in titles)
        html = tag("p", title, class_="admonition-title") + body
        return tag("div", html, class_=f"admonition {kind}", role="note", id=self._id(node.get("html_id"))) + "\n"

    def on_math(self, node: Node) -> str:
        number = node.get("enumerator")
        label = tag("span", f"({escape(str(number))})", class_="equation-number") if number else ""
        formula = tag("div", self.on_inlineMath(node), class_="formula")
        return tag("div", formula + label, id=self._id(node.get("html_id")), class_="equation")

    def on_table(self, node: Node) -> str:
        heads, rows = list[str](), list[str]()
        for row in node.get("children", []):
            in_head = not rows and all(cell.get("header") for cell in row["children"])
            cells = [self._cell(cell, "col" if in_head else "row") for cell in row["children"]]
            (heads if in_head else rows).append(tag("tr", "".join(cells)))
        head = tag("thead", "".join(heads)) if heads else ""
        table = tag("table", head + tag("tbody", "".join(rows)), id=self._id(node.get("html_id")))
        # Wide tables scroll in their own box; a box that scrolls must be reachable by keyboard. It is no region: those
        # are landmarks, which need names of their own.
        return tag("div", table, class_="table-box", tabindex=0, role="group", aria_label="Table") + "\n"

    def _cell(self, cell: Node, scope: str) -> str:
        style = f"align-{cell['align']}" if cell.get("align") else None
        if cell.get("header") and text_of(cell).strip():  # an empty cell heads nothing
            return tag("th", self._children(cell), scope=scope, class_=style)
        return tag("td", self._children(cell), class_=style)

    # Figures and notebooks

    def on_container(self, node: Node) -> str:
        """A figure, a numbered table or a listing.

        A figure says at its top right where it comes from: the notebook's cell that drew it, or its caption's last
        paragraph ("Source: ..." with a link).
        """
        kind = str(node.get("kind", "figure"))
        # mystmd calls the paragraphs after the first the legend
        captions = [child for child in node["children"] if child["type"] in {"caption", "legend"}]
        paragraphs = [paragraph for caption in captions for paragraph in caption.get("children", [])]
        source, last = "", paragraphs[-1] if paragraphs[1:] else {}
        if "source" in node:
            label, page = node["source"]["label"], self.site.page_at(node["source"].get("url") or "")
            if page is None or label not in page.anchors:
                raise self._refused(node, f"shows {label!r}, which no page of the site holds")
            source = "Source: " + link(self._href(page, page.anchors[label]), escape(page.title))
        elif _SOURCE.match(text_of(last)) and any(child["type"] == "link" for child in walk(last)):
            source = "Source: " + _SOURCE.sub("", self._children(paragraphs.pop()), count=1)
        line = tag("p", source, class_="figure-source") if source else ""
        body = "".join(self._figure_content(child, node) for child in node["children"] if child not in captions)
        caption = tag("figcaption", "".join(map(self.render, paragraphs))) if paragraphs else ""
        # A table or a listing is announced above, a figure explained below.
        parts = [line, caption, body] if kind in {"table", "code"} else [line, body, caption]
        style = ("float", f"float-{kind}", node.get("class"))
        return tag("figure", "".join(parts), class_=style, id=self._id(node.get("html_id"))) + "\n"

    def _figure_content(self, node: Node, figure: Node) -> str:
        if node["type"] != "outputs":
            return self.render(node)
        # What a cell printed on the way stays on the notebook's page; a figure shows what it displayed.
        displayed = {"display_data", "execute_result"}
        shown = [c for c in node["children"] if c.get("jupyter_data", {}).get("output_type") in displayed]
        # The description is this figure's, or another figure's of the same cell.
        source = figure.get("source") or {}
        alt = (figure.get("data") or {}).get("alt") or self.site.alts.get((source.get("slug"), source.get("label")))
        return self._outputs({**node, "children": shown or node["children"]}, alt)

    def on_image(self, node: Node) -> str:
        if re.match(r"[a-z]+:", node["url"]):
            raise self._refused(node, f"shows an image from elsewhere: {node['url']}")
        width, align = str(node.get("width") or ""), node.get("align")
        return tag(
            "img",
            src=self.assets.use(node["url"]),
            alt=str(node.get("alt") or ""),
            title=node.get("title"),
            style=f"width: {width}" if _LENGTH.fullmatch(width) else None,
            class_=("picture", align and f"align-{align}", node.get("class")),
        )

    def on_block(self, node: Node) -> str:
        content, name = self._children(node), self._id(node.get("html_id"))
        style = "cell" if node.get("kind") == "notebook-code" else None
        return tag("div", content, class_=style, id=name) + "\n" if style or name else content

    def on_code(self, node: Node) -> str:
        html = listing(node["value"], node.get("lang"), self._id(node.get("html_id")))
        return tag("div", html, class_="cell-input") if node.get("executable") else html

    def on_outputs(self, node: Node) -> str:
        label = str(node.get("identifier") or "").removesuffix("-outputs")
        return self._outputs(node, self.site.alts.get((self.page.slug, label), "Picture drawn by the code above"))

    def _outputs(self, node: Node, alt: str | None) -> str:
        if not node.get("children"):
            return ""
        html = "".join(self._output(child, alt) for child in node["children"])
        return tag("div", html, class_="outputs", id=self._id(node.get("html_id"))) + "\n"

    def _output(self, node: Node, alt: str | None) -> str:
        if node["type"] != "output":
            return self.render(node)  # a placeholder image for places that cannot show the output
        html = output_html(node["jupyter_data"], self.assets, alt)
        if html is None:
            offered = ", ".join(sorted(node["jupyter_data"]["data"]))
            raise self._refused(node, f"an output has only {offered}, which a static page cannot show")
        name = self._id(node.get("html_id"))
        return tag("div", html, id=name) if name else html
