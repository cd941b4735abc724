"""From titles to rows of token ids: corpora, tokenizers, batches."""

from __future__ import annotations

from sevenepochs.errors import UserError


def check_text(text: str, what: str) -> str:
    """Return the text itself, or raise a UserError where it holds half a surrogate pair.

    A command line hands over bytes that are not UTF-8 as such halves (PEP 383), and JSON can spell them out; no
    tokenizer takes them and no file can hold them.

    Args:
        what: names it in the message, e.g. "the title".
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"{what} contains half a surrogate pair, so it is not text; write it in UTF-8") from None
    return text
