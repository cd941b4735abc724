"""A whole page around its text: bar, navigation, contents of the page, neighbours, foot."""

from __future__ import annotations

from dataclasses import dataclass

from sevenepochs.report.theme.blocks import references
from sevenepochs.report.theme.notebook import notebook_bar
from sevenepochs.report.theme.renderer import Assets, Renderer
from sevenepochs.report.theme.site import Page, Site, text_of, walk
from sevenepochs.report.theme.tags import escape, tag

# Before the first paint, so that a stored choice of scheme does not flash.
_EARLY = (
    "document.documentElement.classList.add('js');"
    "try{var s=localStorage.getItem('scheme');if(s)document.documentElement.dataset.scheme=s}catch(e){}"
)


@dataclass(frozen=True)
class Rendered:
    """A page's article: its title block and its body."""

    heading: str
    body: str

    @property
    def html(self) -> str:
        return self.heading + self.body


def article(site: Site, page: Page, assets: Assets, *, whole: bool = False) -> Rendered:
    """The text of a page with its title, abstract and references."""
    renderer = Renderer(site, page, assets, whole=whole)
    front = page.frontmatter
    body = renderer.render(page.root)
    parts = []
    if not front.get("content_includes_title"):
        parts.append(tag("h1", escape(page.title)))
    if front.get("subtitle"):
        parts.append(tag("p", escape(front["subtitle"]), class_="subtitle"))
    if front.get("description") and front["description"] != site.description:
        parts.append(tag("p", escape(front["description"]), class_="lead"))
    abstract = (front.get("parts") or {}).get("abstract")
    if abstract:
        parts.append(tag("div", renderer.render(abstract["mdast"]), class_="abstract"))
    if page.is_notebook and not whole:
        parts.append(notebook_bar(site, page, assets.use(front["exports"][0]["url"])))
    return Rendered("".join(parts), body + references(renderer))


def document(site: Site, page: Page, assets: Assets) -> str:
    """The complete HTML file of a page."""
    text = article(site, page, assets)
    contents = _contents(page)
    frame = "".join(
        [
            tag("nav", _navigation(site, page), class_="side", id="side", aria_label="Pages"),
            tag("main", tag("article", text.html) + _neighbours(site, page), id="content", tabindex=-1),
            tag("nav", contents, class_="contents", aria_label="On this page") if contents else "",
        ]
    )
    body = "".join(
        [
            tag("a", "Skip to the text", class_="skip", href="#content"),
            _bar(site),
            tag("div", frame, class_="frame"),
            _foot(site),
            _search_dialog(),
        ]
    )
    title = page.title if page is site.pages[0] else f"{page.title} · {site.title}"
    description = str(page.frontmatter.get("description") or site.description)
    return shell(site, page.file, title, description, tag("body", body))


def shell(site: Site, file: str, title: str, description: str, body: str, extra_head: str = "") -> str:
    """Everything around <body>."""
    address = f"{site.base_url}/{'' if file == 'index.html' else file}" if site.base_url else None
    head = "\n".join(
        part
        for part in [
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
        if part
    )
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n{body}\n</html>\n'


def _bar(site: Site) -> str:
    menu = tag("button", "Menu", type="button", class_="menu", aria_expanded="false", aria_controls="side")
    logo = tag("a", escape(site.logo_text), class_="logo", href=site.pages[0].file)
    find = tag("button", f"Search {tag('kbd', '/')}", type="button", class_="find")
    scheme = tag("button", "Dark", type="button", class_="scheme", aria_pressed="false")
    return tag("header", menu + logo + find + scheme, class_="bar")


def _navigation(site: Site, current: Page) -> str:
    items, open_levels = [], 0
    for entry in site.entries:
        level = max(1, min(entry.level, open_levels + 1))
        while open_levels > level:
            items.append("</li></ul>")
            open_levels -= 1
        items.append("<ul><li>" if open_levels < level else "</li><li>")
        open_levels = level
        if entry.page is None:
            items.append(tag("span", escape(entry.title), class_="part"))
        else:
            here = "page" if entry.page is current else None
            items.append(tag("a", escape(entry.title), href=entry.page.file, aria_current=here))
    return "".join(items) + "</li></ul>" * open_levels


def _contents(page: Page) -> str:
    """The second and third level of the page's headings."""
    items = [
        tag("li", tag("a", escape(text_of(node)), href=f"#{node['html_id']}"), class_=f"level-{node['depth']}")
        for node in walk(page.root)
        if node["type"] == "heading" and node["depth"] in {2, 3} and node.get("html_id")
    ]
    return tag("p", "On this page", class_="contents-title") + tag("ul", "".join(items)) if len(items) > 1 else ""


def _neighbours(site: Site, page: Page) -> str:
    at = site.pages.index(page)
    links = []
    if at > 0:
        previous = site.pages[at - 1]
        links.append(tag("a", tag("span", "Previous") + escape(previous.title), href=previous.file, rel="prev"))
    if at + 1 < len(site.pages):
        following = site.pages[at + 1]
        links.append(tag("a", tag("span", "Next") + escape(following.title), href=following.file, rel="next"))
    return tag("nav", "".join(links), class_="neighbours", aria_label="Previous and next page") if links else ""


def _foot(site: Site) -> str:
    parts = [tag("span", escape(site.title))]
    if site.license_name:
        name = escape(site.license_name)
        parts.append(
            tag("a", name, href=site.license_url, class_="external") if site.license_url else tag("span", name)
        )
    if site.github:
        parts.append(tag("a", "Source on GitHub", href=site.github, class_="external"))
    parts.append(tag("a", "All on one page", href="print.html"))
    if site.pdf:
        parts.append(tag("a", "PDF", href=site.pdf))
    return tag("footer", "".join(parts), class_="foot")


def _search_dialog() -> str:
    field = tag(
        "input",
        type="search",
        id="search-words",
        placeholder="Words to look for",
        autocomplete="off",
        aria_label="Search the site",
        aria_controls="search-results",
    )
    close = tag("button", "Close", type="button", class_="close")
    results = tag("ul", id="search-results", aria_label="Pages found")
    status = tag("p", class_="search-status", role="status")
    dialog = tag(
        "dialog",
        tag("div", field + close, class_="search-head") + status + results,
        class_="search",
        aria_label="Search",
    )
    scripts = tag("script", src="static/search-index.js", defer=True) + tag("script", src="static/site.js", defer=True)
    return dialog + scripts
