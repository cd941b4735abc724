"""Where each head looks: the attention weights of every layer over one text.

A weight says how much of a position's value enters the head's sum; it does not say that the head's output mattered.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sevenepochs.analysis.reader import Reader


def attention_maps(reader: Reader, text: str) -> dict[str, Any]:
    """Attention of every layer and head over `<eos>` and the text.

    Returns:
        `tokens`: T readable tokens. `weights`: [layer][head][query][key], each row sums to 1 over the keys that it may
        see (none later than itself). `heads`: for each layer and head, over all queries but the first:
        `previous_share` (weight on the token before), `first_share` (on the first token), `self_share`, and
        `mean_distance` (in tokens, weighted). `even`: what a head that looks at all it may see alike would have, as
        `share` (of each of the three) and `mean_distance`.

    Raises:
        UserError: more tokens than the model reads at once.
    """
    trace = reader.trace(reader.encode(text))
    weights_LHTS = trace.attention_LHTS.astype(np.float64)
    return {
        "run": reader.name,
        "text": text,
        "tokens": reader.tokens(trace.ids_T),
        "weights": np.round(weights_LHTS, 5).tolist(),
        "heads": [
            {"layer": layer + 1, "head": head + 1, **_habits(weights_LHTS[layer, head])}
            for layer in range(weights_LHTS.shape[0])
            for head in range(weights_LHTS.shape[1])
        ],
        "even": _even(len(trace.ids_T)),
    }


def _even(T: int) -> dict[str, float | None]:
    habits = _habits(np.tril(np.ones((T, T))) / np.arange(1, T + 1)[:, None])
    return {"share": habits["previous_share"], "mean_distance": habits["mean_distance"]}


def _habits(weights_TS: np.ndarray) -> dict[str, float | None]:
    """Means over the queries that have a choice: the first one can only look at itself."""
    T = len(weights_TS)
    if T < 2:
        return dict.fromkeys(("previous_share", "first_share", "self_share", "mean_distance"))
    queries = np.arange(1, T)
    distance_TS = np.maximum(np.arange(T)[:, None] - np.arange(T)[None], 0)
    return {
        "previous_share": float(weights_TS[queries, queries - 1].mean()),
        "first_share": float(weights_TS[queries, 0].mean()),
        "self_share": float(weights_TS[queries, queries].mean()),
        "mean_distance": float((weights_TS * distance_TS)[1:].sum(-1).mean()),
    }
