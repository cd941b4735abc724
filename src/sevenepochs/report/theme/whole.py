"""print.html: every page but the notebooks, one after the other, behind a cover and contents; the PDF is its print."""

from __future__ import annotations

from sevenepochs.report.theme.html import escape, tag
from sevenepochs.report.theme.page import article, shell
from sevenepochs.report.theme.site import Assets, Page, Site

FILE = "print.html"


def whole_document(site: Site, assets: Assets) -> str:
    """Return the one-page edition."""
    chapters = [page for page in site.pages if not page.is_notebook]
    texts = [
        tag("section", article(site, page, assets, whole=True), id=page.slug, class_="chapter", style=f"page: {name}")
        for page, name in ((page, _name(page)) for page in chapters)
    ]
    body = _cover(site) + _contents(site) + tag("main", "".join(texts))
    styles = tag("style", "\n".join(_running_head(page) for page in chapters))
    # Out of search engines: each page of it exists on its own.
    robots = tag("meta", name="robots", content="noindex")
    return shell(site, FILE, site.title, site.description, tag("body", body, class_="print"), robots + styles)


def _cover(site: Site) -> str:
    authors = site.pages[0].frontmatter.get("authors") or []
    lines = {
        "title": escape(site.title),
        "text": escape(site.description),
        "authors": escape(", ".join(str(author["name"]) for author in authors)),
        "address": tag("a", escape(site.base_url), href=site.base_url) if site.base_url else "",
    }
    body = [tag("p", text, class_=f"cover-{name}") for name, text in lines.items() if text]
    return tag("header", "".join(body), class_="cover")


def _contents(site: Site) -> str:
    items, titled = [], None
    for entry in site.entries:
        if entry.page is None:
            titled = entry
        elif not entry.page.is_notebook:
            if titled is not None and entry.level > titled.level:
                items.append(tag("li", escape(titled.title), class_="part"))
                titled = None
            slug = entry.page.slug
            # pdf.py fills in the page number, which only the printer knows
            number = tag("span", "", class_="toc-page", data_chapter=slug)
            line = tag("a", escape(entry.page.title), href=f"#{slug}") + number
            items.append(tag("li", line, class_=f"level-{min(entry.level, 2)}"))
    body = tag("p", "Contents", class_="contents-title") + tag("ol", "".join(items))
    return tag("nav", body, class_="whole-contents", aria_label="Contents")


def _name(page: Page) -> str:
    """Return a CSS identifier: print lays each chapter on pages of its own name, with its title at their head."""
    return "chapter-" + "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in page.slug)


def _running_head(page: Page) -> str:
    title = page.title.replace("\\", "\\\\").replace('"', '\\"').replace("<", "\\3c ").replace("\n", " ")
    return f'@page {_name(page)} {{ @top-right {{ content: "{title}" }} }}'
