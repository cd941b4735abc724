"""What counts as text: any Unicode but half a surrogate pair.

A command line hands over bytes that are not UTF-8 as such halves (PEP 383), and JSON can spell them out; no tokenizer
takes them and no file can hold them. Stdlib only.
"""

from __future__ import annotations

from sevenepochs.errors import UserError


def check_text(text: str, what: str) -> str:
    """The text itself, or a UserError where it is none.

    Args:
        what: names it in the message, e.g. "the title".
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"{what} contains half a surrogate pair, so it is not text; write it in UTF-8") from None
    return text
