"""The files of a site."""

from __future__ import annotations

import shutil
from pathlib import Path

from sevenepochs.report.theme import nodes, whole
from sevenepochs.report.theme.page import document
from sevenepochs.report.theme.renderer import Assets
from sevenepochs.report.theme.search import search_index
from sevenepochs.report.theme.site import Site
from sevenepochs.report.theme.tags import escape

STATIC = Path(__file__).parent / "static"
assert nodes.MODULES, "the handlers are registered by importing them"


def write_site(site: Site, out: Path) -> None:
    """Write pages, assets, search index and the one-page edition into an empty folder.

    Raises:
        UserError: a page holds something that cannot be shown.
    """
    assets = Assets(site.public, out)
    for page in site.pages:
        _write(out / page.file, document(site, page, assets))
    _write(out / whole.FILE, whole.whole_document(site, assets))
    shutil.copytree(STATIC, out / "static", dirs_exist_ok=True)
    _write(out / "static" / "search-index.js", search_index(site))
    _write(out / ".nojekyll", "")  # GitHub Pages then serves the files as they are
    if site.base_url:
        _write(out / "sitemap.xml", _sitemap(site))


def _sitemap(site: Site) -> str:
    rows = "".join(
        f"<url><loc>{escape(f'{site.base_url}/' + ('' if page.file == 'index.html' else page.file))}</loc></url>\n"
        for page in site.pages
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n'


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
