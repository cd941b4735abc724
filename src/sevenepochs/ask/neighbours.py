"""Which tokens lie next to each other in the embedding, by cosine. Tokens that training rarely showed still lie about
where they were drawn, so their neighbours mean nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from sevenepochs.ask.reader import Reader
from sevenepochs.errors import UserError


def neighbours(reader: Reader, id: int, k: int = 10) -> dict[str, Any]:
    """The k tokens nearest to one token, itself left out: `neighbours` with `id`, `token` and `cosine`, falling."""
    embeddings_VD = reader.embeddings()
    norms_V = np.linalg.norm(embeddings_VD, axis=1)
    # a token whose embedding is exactly zero points nowhere
    scale_V = np.divide(1.0, norms_V, out=np.zeros_like(norms_V), where=norms_V > 0)
    cosines_V = (embeddings_VD @ embeddings_VD[id]) * scale_V * scale_V[id]
    order = np.lexsort((np.arange(len(cosines_V)), -cosines_V))
    nearest = [int(other) for other in order if other != id][:k]
    return {
        "id": id,
        "token": reader.tokenizer.show(id),
        "neighbours": [
            {"id": other, "token": reader.tokenizer.show(other), "cosine": float(cosines_V[other])} for other in nearest
        ],
    }


def token_id(reader: Reader, text: str) -> int:
    """The token that is a word: as it stands at the start of a title or after a space, or as it stands alone.

    Raises:
        UserError: the word is several tokens, which are named.
    """
    ids = reader.encode(text.lstrip())[1:].tolist()
    # a byte-level vocabulary may write the space before a word as a token of its own
    if len(ids) == 2 and not reader.tokens(ids[:1])[0].strip():
        ids = ids[1:]
    if len(ids) != 1:
        parts = " + ".join(repr(token) for token in reader.tokens(ids)) or "nothing"
        raise UserError(f"{text!r} is {len(ids)} tokens in this vocabulary ({parts}); name one of them")
    return int(ids[0])
