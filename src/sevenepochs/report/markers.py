"""Generated text between markers in a page that people write: `<!-- name:start -->` ... `<!-- name:end -->`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from sevenepochs.errors import UserError


def wrapped(text: str) -> str:
    """The text in lines of at most 120 columns, for a page that people write."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def filled(text: str, name: str, content: str, page: Path) -> str:
    """The page's text with the content between the markers of this name replaced. Raises UserError: the markers are not
    there."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    before, found_start, rest = text.partition(start)
    _, found_end, after = rest.partition(end)
    if not found_start or not found_end:
        raise UserError(f"{page} has no {start} ... {end} to fill")
    return f"{before}{start}\n{content}\n{end}{after}"


def update_page(page: Path, sections: Mapping[str, str], *, check: bool = False) -> bool:
    """Fill a page's sections by marker name; with `check`, only say whether they are up to date. Raises UserError: a
    marker is not there."""
    text = new = page.read_text(encoding="utf-8")
    for name, content in sections.items():
        new = filled(new, name, content, page)
    if not check and new != text:
        page.write_text(new, encoding="utf-8")
    return new == text
