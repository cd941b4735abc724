"""The HTML files of a site, from templates/: a file per page, and print.html, where all pages but the notebooks stand
one after the other behind a cover and contents. The PDF is its print."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from sevenepochs.report.theme.html import escape, tag
from sevenepochs.report.theme.render import Renderer
from sevenepochs.report.theme.site import Assets, Entry, Page, Site, text_of, walk

WHOLE = "print.html"


def document(site: Site, page: Page, assets: Assets) -> str:
    """Return the complete HTML file of a page."""
    at = site.pages.index(page)
    before, _, after = [None, *site.pages, None][at : at + 3]
    text, navigation = _article(site, page, assets), _navigation(site, page)
    return _filled("page.html", site=site, page=page, before=before, after=after, article=text, navigation=navigation)


def whole_document(site: Site, assets: Assets) -> str:
    """Return the one-page edition."""
    chapters = []
    for page in site.pages:
        if not page.is_notebook:
            # print lays each chapter on pages of its own name, with its title at their head
            name = "chapter-" + "".join(c if c.isalnum() and c.isascii() else "-" for c in page.slug)
            head = page.title.replace("\\", "\\\\").replace('"', '\\"').replace("<", "\\3c ").replace("\n", " ")
            chapters.append((page, name, Markup(f'"{head}"'), _article(site, page, assets, whole=True)))
    return _filled(WHOLE, site=site, contents=_contents(site), chapters=chapters)


def _article(site: Site, page: Page, assets: Assets, *, whole: bool = False) -> Markup:
    """The text of a page with its title, abstract and references; `whole` is the one-page edition."""
    renderer = Renderer(site, page, assets, whole=whole)
    abstract = (page.frontmatter.get("parts") or {}).get("abstract")
    values = {
        "abstract": Markup(renderer.render(abstract["mdast"])) if abstract else None,
        "body": Markup(renderer.render(page.root)),
        "references": Markup(renderer.references()),  # last: of what was cited above
        "notebook": assets.use(page.frontmatter["exports"][0]["url"]) if page.is_notebook and not whole else None,
        "repository": re.sub(r"^https://github\.com/|(\.git)?/?$", "", site.project.get("github") or ""),
    }
    return Markup(_filled("article.html", site=site, page=page, **values))


def _navigation(site: Site, current: Page) -> Markup:
    items, open_levels = [], 0
    for entry in site.entries:
        level = max(1, min(entry.level, open_levels + 1))
        items.append("</li></ul>" * (open_levels - level))
        items.append("<ul><li>" if open_levels < level else "</li><li>")
        open_levels = level
        if entry.page is None:
            items.append(tag("span", escape(entry.title), class_="part"))
        else:
            here = "page" if entry.page is current else None
            items.append(tag("a", escape(entry.title), href=entry.page.file, aria_current=here))
    return Markup("".join(items) + "</li></ul>" * open_levels)


def _contents(site: Site) -> list[Entry]:
    """The navigation without notebooks, and without parts that hold nothing else."""
    lines, titled = list[Entry](), None
    for entry in site.entries:
        if entry.page is None:
            titled = entry
        elif not entry.page.is_notebook:
            if titled is not None and entry.level > titled.level:
                lines.append(titled)
                titled = None
            lines.append(entry)
    return lines


def _filled(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(values, walk=walk, text_of=text_of)


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
