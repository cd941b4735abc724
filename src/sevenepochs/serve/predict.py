"""A typed title as the page shows it: each token's surprisal, and the ten likeliest tokens at every place.

One answer holds all places, so that moving from token to token asks the server nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sevenepochs.ask.model import Model
from sevenepochs.errors import UserError
from sevenepochs.serve.prefixes import Prefixes, Row
from sevenepochs.serve.refusal import Refusal

N_CANDIDATES = 10
_LN2 = math.log(2.0)


def predict(model: Model, prefixes: Prefixes, text: str) -> dict[str, Any]:
    """JSON for the page.

    `tokens[i]`: `text`, `start`/`stop` (characters of the typed text), `bits`, `probability` and `rank` of what was
    typed; `places[i]`: what the model expected instead of token i, and in the last one after all of them: `top`
    (`text`, `probability`, `whole`, `end`) and `rest`, the probability of all other tokens, so that a place sums to 1.
    Half a character is not `whole` and cannot be continued from.

    Raises:
        Refusal: more tokens than the model reads at once.
    """
    ids, spans = model.tokenizer.encode_with_spans(text.rstrip())
    context = np.asarray([model.eos_id, *ids], dtype=np.int64)
    try:
        rows = prefixes.rows(context)
    except UserError as error:
        raise Refusal(413, str(error)) from None
    tokens = [
        {"text": shown, "start": start, "stop": stop, **_found(row.log_probs_V, id)}
        for id, shown, (start, stop), row in zip(ids, model.tokens(ids), spans, rows, strict=False)
    ]
    return {
        "tokens": tokens,
        "places": [_place(model, row) for row in rows],
        "bits": sum(token["bits"] for token in tokens),
        "n_chars": len(text.rstrip()),
    }


def _found(log_probs_V: np.ndarray, id: int) -> dict[str, Any]:
    log_prob = log_probs_V[id]
    return {
        "bits": float(-log_prob / _LN2),
        "probability": float(np.exp(log_prob)),
        "rank": int((log_probs_V > log_prob).sum()) + 1,
    }


def _place(model: Model, row: Row) -> dict[str, Any]:
    if row.place is None:
        row.place = _likeliest(model, row.log_probs_V)
    return row.place


def _likeliest(model: Model, log_probs_V: np.ndarray) -> dict[str, Any]:
    n = min(N_CANDIDATES, len(log_probs_V))
    top = np.argpartition(-log_probs_V, n - 1)[:n]
    top = top[np.argsort(-log_probs_V[top], kind="stable")]
    probabilities = np.exp(log_probs_V.astype(np.float64))
    candidates = [
        {
            "text": shown,
            "probability": float(probabilities[id]),
            "whole": model.tokenizer.is_text(int(id)),
            "end": int(id) == model.eos_id,
        }
        for id, shown in zip(top, model.tokens(top), strict=True)
    ]
    rest = float(probabilities.sum() - probabilities[top].sum())
    return {"top": candidates, "rest": max(rest, 0.0)}
