"""Code listings, coloured when the site is built: pygments names the tokens, site.css colours them."""

from __future__ import annotations

from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from sevenepochs.report.theme.tags import escape, tag

_PLAIN = {None, "", "text", "txt", "none", "plaintext"}


def highlight(code: str, language: str | None) -> list[str]:
    """The lines of a listing as markup; an unknown language is shown in one colour."""
    if language in _PLAIN:
        return [escape(line) for line in code.split("\n")]
    try:
        lexer = get_lexer_by_name(str(language), stripnl=False, ensurenl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False, ensurenl=False)
    lines = [""]
    for kind, value in lexer.get_tokens(code):
        while kind not in STANDARD_TYPES:
            kind = kind.parent  # a lexer's private token looks like the standard one above it
        style = STANDARD_TYPES[kind]
        for index, part in enumerate(value.split("\n")):
            if index:
                lines.append("")
            if part:
                lines[-1] += tag("span", escape(part), class_=style) if style else escape(part)
    return lines


def listing(code: str, language: str | None, html_id: str | None = None) -> str:
    """A listing; site.js adds its Copy button."""
    body = tag("pre", tag("code", "\n".join(highlight(code, language))), tabindex=0)
    return tag("div", body, class_="listing", id=html_id) + "\n"
