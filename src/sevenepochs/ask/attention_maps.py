"""Where each head looks: the attention weights of every layer over one text.

A weight says how much of a position's value enters the head's sum; it does not say that the head's output mattered.

L layers, H heads, T queries, S keys.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sevenepochs.ask.reader import Reader

HABITS = ("previous_share", "first_share", "self_share", "mean_distance")


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
    habits_LH = _means(weights_LHTS)
    even = _means(even_weights(len(trace.ids_T)))[0][0]
    return {
        "run": reader.name,
        "text": text,
        "tokens": reader.tokens(trace.ids_T),
        "weights": np.round(weights_LHTS, 5).tolist(),
        "heads": [
            {"layer": layer, "head": head, **habits}
            for layer, row in enumerate(habits_LH, start=1)
            for head, habits in enumerate(row, start=1)
        ],
        "even": {"share": even["previous_share"], "mean_distance": even["mean_distance"]},
    }


def habit_sums(weights_LHTS: np.ndarray) -> np.ndarray:
    """Sums of HABITS, in their order, over the queries that have a choice: (4, L, H). The first one can only look at
    itself and is left out."""
    T = weights_LHTS.shape[-1]
    queries = np.arange(1, T)
    distance_TS = np.maximum(np.arange(T)[:, None] - np.arange(T)[None], 0)
    return np.stack(
        [
            weights_LHTS[..., queries, queries - 1].sum(-1),
            weights_LHTS[..., queries, 0].sum(-1),
            weights_LHTS[..., queries, queries].sum(-1),
            (weights_LHTS * distance_TS)[..., 1:, :].sum((-1, -2)),
        ]
    )


def even_weights(T: int) -> np.ndarray:
    """The weights of one head that looks at all it may see alike: (1, 1, T, T)."""
    even: np.ndarray = np.tril(np.ones((T, T))) / np.arange(1, T + 1)[:, None]
    return even[None, None]


def _means(weights_LHTS: np.ndarray) -> list[list[dict[str, float | None]]]:
    """HABITS of every layer and head; None where no query has a choice."""
    n_queries = weights_LHTS.shape[-1] - 1
    sums_LHX = np.moveaxis(habit_sums(weights_LHTS), 0, -1)
    return [[_named(sums_X, n_queries) for sums_X in sums_HX] for sums_HX in sums_LHX]


def _named(sums_X: np.ndarray, n_queries: int) -> dict[str, float | None]:
    return {name: float(x) / n_queries if n_queries else None for name, x in zip(HABITS, sums_X, strict=True)}
