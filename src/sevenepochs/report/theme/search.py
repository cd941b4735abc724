"""The search index: the words of each section, in a .js file, because a page opened from disk may not fetch a .json."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from sevenepochs.report.theme.site import Node, Page, Site, text_of

# Listings and outputs stay out: they would drown the words, and fill the index.
_SILENT = {"code", "outputs", "math", "comment", "captionNumber", "bibliography"}
_INLINE = {"text", "inlineCode", "inlineMath"}


@dataclass
class Section:
    """A stretch of a page below one heading."""

    page: Page
    heading: str
    anchor: str
    words: list[str] = field(default_factory=list)


def sections(page: Page) -> list[Section]:
    """The page cut at its headings; the first section is what stands before them."""
    found = [Section(page, "", "")]
    _collect(page.root, found)
    return found


def _collect(node: Node, found: list[Section]) -> None:
    if node["type"] in _SILENT:
        return
    if node["type"] == "heading":
        found.append(Section(found[0].page, text_of(node), str(node.get("html_id") or "")))
    elif node["type"] in _INLINE:
        found[-1].words.append(str(node["value"]))
    else:
        for child in node.get("children", ()):
            _collect(child, found)
        if node["type"] in {"paragraph", "tableCell", "definitionTerm", "listItem", "cardTitle", "admonitionTitle"}:
            found[-1].words.append(" ")


def search_index(site: Site) -> str:
    """JavaScript that sets `SITE_INDEX`: rows of [page's title, its file, heading, anchor, text]."""
    rows = []
    for page in site.pages:
        for section in sections(page):
            text = " ".join("".join(section.words).split())
            if text or section.heading or not section.anchor:
                rows.append([page.title, page.file, section.heading, section.anchor, text])
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"window.SITE_INDEX = [\n{lines}\n];\n"
