"""A whole page around its text: bar, navigation, contents of the page, neighbours, foot."""

from __future__ import annotations

from sevenepochs.report.theme.html import escape, link, tag
from sevenepochs.report.theme.render import Renderer
from sevenepochs.report.theme.site import Assets, Page, Site, text_of, walk

# Before the first paint, so that a stored choice of scheme does not flash.
_EARLY = (
    "document.documentElement.classList.add('js');"
    "try{var s=localStorage.getItem('scheme');if(s)document.documentElement.dataset.scheme=s}catch(e){}"
)
_BAR = (
    '<header class="bar">'
    '<button type="button" class="menu" aria-expanded="false" aria-controls="side">Menu</button>{logo}'
    '<button type="button" class="find">Search <kbd>/</kbd></button>'
    '<button type="button" class="scheme" aria-pressed="false">Dark</button></header>'
)
_SEARCH = (
    '<dialog class="search" aria-label="Search"><div class="search-head">'
    '<input type="search" id="search-words" placeholder="Words to look for" autocomplete="off"'
    ' aria-label="Search the site" aria-controls="search-results">'
    '<button type="button" class="close">Close</button></div>'
    '<p class="search-status" role="status"></p><ul id="search-results" aria-label="Pages found"></ul></dialog>'
    '<script src="static/search-index.js" defer></script><script src="static/site.js" defer></script>'
)


def article(site: Site, page: Page, assets: Assets, *, whole: bool = False) -> str:
    """Return the text of a page with its title, abstract and references; `whole` is the one-page edition."""
    renderer = Renderer(site, page, assets, whole=whole)
    front = page.frontmatter
    parts = []
    if not front.get("content_includes_title"):
        parts.append(tag("h1", escape(page.title)))
    if front.get("subtitle"):
        parts.append(tag("p", escape(front["subtitle"]), class_="subtitle"))
    if front.get("description") and front["description"] != site.description:
        parts.append(tag("p", escape(front["description"]), class_="lead"))
    if abstract := (front.get("parts") or {}).get("abstract"):
        parts.append(tag("div", renderer.render(abstract["mdast"]), class_="abstract"))
    if page.is_notebook and not whole:
        parts.append(_notebook_bar(site, page, assets.use(front["exports"][0]["url"])))
    return "".join([*parts, renderer.render(page.root), renderer.references()])


def document(site: Site, page: Page, assets: Assets) -> str:
    """Return the complete HTML file of a page."""
    text = tag("article", article(site, page, assets)) + _neighbours(site, page)
    frame = [
        tag("nav", _navigation(site, page), class_="side", id="side", aria_label="Pages"),
        tag("main", text, id="content", tabindex=-1),
        _contents(page),
    ]
    logo = tag("a", escape(site.logo_text), class_="logo", href=site.pages[0].file)
    body = [
        tag("a", "Skip to the text", class_="skip", href="#content"),
        _BAR.format(logo=logo),
        tag("div", "".join(frame), class_="frame"),
        _foot(site),
        _SEARCH,
    ]
    title = page.title if page is site.pages[0] else f"{page.title} · {site.title}"
    description = page.frontmatter.get("description") or site.description
    return shell(site, page.file, title, description, tag("body", "".join(body)))


def shell(site: Site, file: str, title: str, description: str, body: str, extra_head: str = "") -> str:
    """Return the HTML file around <body>."""
    address = site.address(file)
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", escape(title)),
        tag("meta", name="description", content=description) if description else "",
        tag("link", rel="canonical", href=address) if address else "",
        tag("link", rel="icon", href="static/icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href="static/site.css"),
        tag("script", _EARLY),
        extra_head,
    ]
    lines = "\n".join(filter(None, head))
    return f'<!doctype html>\n<html lang="en">\n<head>\n{lines}\n</head>\n{body}\n</html>\n'


def _notebook_bar(site: Site, page: Page, source: str) -> str:
    """Return what stands above a notebook: run it on Colab, or download it from `source`."""
    name = page.location.rsplit("/", 1)[-1]
    download = tag("a", f"Download {escape(name)}", href=source, download=name, class_="button")
    if site.project.get("github"):
        repository = site.project["github"].removesuffix("/").removesuffix(".git").removeprefix("https://github.com/")
        url = f"https://colab.research.google.com/github/{repository}/blob/main{page.location}"
        colab = tag("a", "Open in Colab", href=url, rel="noopener", class_="button primary external")
    else:
        hint = "Colab needs a public repository, and the project names none (github in myst.yml)."
        colab = tag("span", hint, class_="bar-note")
    return tag("div", colab + download, class_="notebook-bar") + "\n"


def _navigation(site: Site, current: Page) -> str:
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
    return "".join(items) + "</li></ul>" * open_levels


def _contents(page: Page) -> str:
    """Return the page's headings of the second and third level; "" where there are fewer than two."""
    items = [
        tag("li", tag("a", escape(text_of(node)), href=f"#{node['html_id']}"), class_=f"level-{node['depth']}")
        for node in walk(page.root)
        if node["type"] == "heading" and node["depth"] in {2, 3} and node.get("html_id")
    ]
    body = tag("p", "On this page", class_="contents-title") + tag("ul", "".join(items))
    return tag("nav", body, class_="contents", aria_label="On this page") if len(items) > 1 else ""


def _neighbours(site: Site, page: Page) -> str:
    at = site.pages.index(page)
    links = [
        tag("a", tag("span", word) + escape(site.pages[i].title), href=site.pages[i].file, rel=rel)
        for i, word, rel in ((at - 1, "Previous", "prev"), (at + 1, "Next", "next"))
        if 0 <= i < len(site.pages)
    ]
    return tag("nav", "".join(links), class_="neighbours", aria_label="Previous and next page") if links else ""


def _foot(site: Site) -> str:
    parts = [tag("span", escape(site.title))]
    if terms := (site.project.get("license") or {}).get("content"):
        parts.append(link(terms.get("url"), escape(terms["name"]), class_="external"))
    if site.project.get("github"):
        parts.append(tag("a", "Source on GitHub", href=site.project["github"], class_="external"))
    parts.append(tag("a", "All on one page", href="print.html"))
    if site.pdf:
        parts.append(tag("a", "PDF", href=site.pdf))
    return tag("footer", "".join(parts), class_="foot")
