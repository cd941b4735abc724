"""The files of a site. mystmd calls this file when the pages of a site are ready: it writes into BUILD_DIRECTORY.

mystmd passes BUILD_DIRECTORY (`_build/html`); the pages lie beside it in `_build/site`: the same files that mystmd's
local server would give out. SEVENEPOCHS_BASE_URL is the address the site will have, SEVENEPOCHS_PDF the name of the PDF
that will be printed of it; both may be missing.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from sevenepochs.errors import UserError
from sevenepochs.report.theme.html import escape
from sevenepochs.report.theme.page import WHOLE, document, whole_document
from sevenepochs.report.theme.site import Assets, Node, Site, load_site, text_of

# Listings and outputs stay out of the search index: they would drown the words, and fill it.
_NOT_SEARCHED = {"code", "outputs", "math", "comment", "captionNumber", "bibliography"}
_WORDS = {"text", "inlineCode", "inlineMath"}
_ENDS_A_WORD = {"paragraph", "tableCell", "definitionTerm", "listItem", "admonitionTitle"}


def write_site(site: Site, out: Path) -> None:
    """Write pages, assets, search index and the one-page edition into an empty folder. Raises UserError: a page holds
    something that cannot be shown."""
    assets = Assets(site.public, out)
    files = {page.file: document(site, page, assets) for page in site.pages}
    files[WHOLE] = whole_document(site, assets)
    files["static/search-index.js"] = search_index(site)
    files[".nojekyll"] = ""  # GitHub Pages then serves the files as they are
    if site.base_url:
        files["sitemap.xml"] = _sitemap(site)
    shutil.copytree(Path(__file__).parent / "static", out / "static", dirs_exist_ok=True)
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8", newline="\n")


def search_index(site: Site) -> str:
    """Return JavaScript that sets `SITE_INDEX`: rows of [page's title, its file, heading, anchor, text], one per
    section. A page that is opened from disk may not fetch a .json."""
    rows = []
    for page in site.pages:
        sections: list[tuple[str, str, list[str]]] = [("", "", [])]  # the first stands before all headings
        _collect(page.root, sections)
        for heading, anchor, words in sections:
            text = " ".join("".join(words).split())
            if text or heading or not anchor:
                rows.append(json.dumps([page.title, page.file, heading, anchor, text], ensure_ascii=False))
    return "window.SITE_INDEX = [\n" + ",\n".join(rows) + "\n];\n"


def _collect(node: Node, sections: list[tuple[str, str, list[str]]]) -> None:
    if node["type"] in _NOT_SEARCHED:
        return
    if node["type"] == "heading":
        sections.append((text_of(node), str(node.get("html_id") or ""), []))
    elif node["type"] in _WORDS:
        sections[-1][2].append(str(node["value"]))
    else:
        for child in node.get("children", ()):
            _collect(child, sections)
        if node["type"] in _ENDS_A_WORD:
            sections[-1][2].append(" ")


def _sitemap(site: Site) -> str:
    rows = "".join(f"<url><loc>{escape(str(site.address(page.file)))}</loc></url>\n" for page in site.pages)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n'


def main() -> int:
    """Write the site; return exit code 1, after one line, when a page cannot be shown: mystmd then fails as well."""
    out = Path(os.environ["BUILD_DIRECTORY"])
    try:
        site = load_site(out.parent / "site", os.environ.get("SEVENEPOCHS_BASE_URL"), os.environ.get("SEVENEPOCHS_PDF"))
        write_site(site, out)
    except UserError as error:
        print(f"theme: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
