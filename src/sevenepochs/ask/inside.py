"""Views into a model: where its heads look, what each layer would answer, which tokens lie near each other, and how a
title was learned.

L layers, H heads, T queries, S keys, V vocabulary, D model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from sevenepochs.ask.model import Model
from sevenepochs.ask.next_token import nats_per_char, standing, title_bits, top
from sevenepochs.errors import UserError
from sevenepochs.store.run import Run

HABITS = ("previous_share", "first_share", "self_share", "mean_distance")


def attention_maps(model: Model, text: str) -> dict[str, Any]:
    """Return the attention of every layer and head over `<eos>` and the text.

    A weight says how much of a position's value enters the head's sum, not that the head's output mattered.

    Returns:
        `tokens`: T readable tokens. `weights`: [layer][head][query][key], each row sums to 1 over the keys that it may
        see (none later than itself). `heads`: for each layer and head, over all queries but the first:
        `previous_share` (weight on the token before), `first_share` (on the first token), `self_share`, and
        `mean_distance` (in tokens, weighted). `even`: what a head that looks at all it may see alike would have, as
        `share` (of each of the three) and `mean_distance`.

    Raises:
        UserError: more tokens than the model reads at once.
    """
    (seen,) = model.activations([model.encode(text)])
    weights_LHTS = seen.attention_LHTS.astype(np.float64)
    n_queries = len(seen.ids_T) - 1

    def means(sums_X: np.ndarray) -> dict[str, float | None]:
        return {name: float(x) / n_queries if n_queries else None for name, x in zip(HABITS, sums_X, strict=True)}

    even = means(habit_sums(even_weights(len(seen.ids_T)))[:, 0, 0])
    return {
        "run": model.name,
        "text": text,
        "tokens": model.tokens(seen.ids_T),
        "weights": np.round(weights_LHTS, 5).tolist(),
        "heads": [
            {"layer": layer, "head": head, **means(sums_X)}
            for layer, sums_HX in enumerate(np.moveaxis(habit_sums(weights_LHTS), 0, -1), start=1)
            for head, sums_X in enumerate(sums_HX, start=1)
        ],
        "even": {"share": even["previous_share"], "mean_distance": even["mean_distance"]},
    }


def habit_sums(weights_LHTS: np.ndarray) -> np.ndarray:
    """Return sums of HABITS, in their order, over all queries but the first, which has no choice: (4, L, H)."""
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
    """Return the weights of one head that looks at all it may see alike: (1, 1, T, T)."""
    even: np.ndarray = np.tril(np.ones((T, T))) / np.arange(1, T + 1)[:, None]
    return even[None, None]


def logit_lens(model: Model, text: str, k: int = 3) -> dict[str, Any]:
    """Return what the model would answer at every position of `<eos>` and the text if each layer were its last: the
    logit lens (nostalgebraist 2020, "interpreting GPT: the logit lens").

    The residual stream after each block is normalised and projected as the final one is. Early layers were never
    trained to be read so; a strange answer there is no error.

    Returns:
        `tokens`: T readable tokens. `layers`: a row each with `name` ("embedding", "block 1", ...) and `positions`, T
        rows with the `top` k next tokens and, but for the last position, the `truth`'s probability, rank and surprisal.
        The last layer's answers are the model's own.

    Raises:
        UserError: more tokens than the model reads at once.
    """
    (seen,) = model.activations([model.encode(text)])
    truths = [*seen.ids_T[1:].tolist(), None]
    layers = []
    for number, log_probs_TV in enumerate(model.lens(seen.hidden_LTD)):
        positions = [
            {"top": top(model, row_V, k), **({} if truth is None else {"truth": standing(model, row_V, truth)})}
            for row_V, truth in zip(log_probs_TV, truths, strict=True)
        ]
        layers.append({"name": f"block {number}" if number else "embedding", "positions": positions})
    return {"run": model.name, "text": text, "tokens": model.tokens(seen.ids_T), "layers": layers}


def neighbours(model: Model, id: int, k: int = 10) -> dict[str, Any]:
    """Return the k tokens nearest to one token in the embedding, itself left out: `neighbours` with `id`, `token` and
    `cosine`, falling.

    Tokens that training rarely showed still lie about where they were drawn, so their neighbours mean nothing.
    """
    embeddings_VD = model.embeddings()
    norms_V = np.linalg.norm(embeddings_VD, axis=1)
    # a token whose embedding is exactly zero points nowhere
    scale_V = np.divide(1.0, norms_V, out=np.zeros_like(norms_V), where=norms_V > 0)
    cosines_V = (embeddings_VD @ embeddings_VD[id]) * scale_V * scale_V[id]
    order = np.lexsort((np.arange(len(cosines_V)), -cosines_V))
    nearest = [int(other) for other in order if other != id][:k]
    return {
        "id": id,
        "token": model.tokenizer.show(id),
        "neighbours": [
            {"id": other, "token": model.tokenizer.show(other), "cosine": float(cosines_V[other])} for other in nearest
        ],
    }


def token_id(model: Model, text: str) -> int:
    """Return the id of the token that is a word, at the start of a title, after a space, or alone.

    Raises:
        UserError: the word is several tokens, which are named.
    """
    ids = model.encode(text.lstrip())[1:].tolist()
    # a byte-level vocabulary may write the space before a word as a token of its own
    if len(ids) == 2 and not model.tokens(ids[:1])[0].strip():
        ids = ids[1:]
    if len(ids) != 1:
        parts = " + ".join(repr(token) for token in model.tokens(ids)) or "nothing"
        raise UserError(f"{text!r} is {len(ids)} tokens in this vocabulary ({parts}); name one of them")
    return int(ids[0])


def through_time(
    run: Run, text: str, progress: Callable[[Iterable[int]], Iterable[int]] = lambda steps: steps
) -> dict[str, Any]:
    """Return the bits of each token of a title, read alone after `<eos>`, under the weights of each kept snapshot.

    Snapshots hold matrices in bf16, so the last one is the final model up to that rounding.

    Args:
        progress: wraps the steps as they are worked through.

    Returns:
        `tokens`: readable, the closing `<eos>` last. `steps`: rows of `step`, `surprisal_bits` (the title's),
        `tokens_bits` and `nats_per_char`.

    Raises:
        UserError: the run kept no snapshots.
    """
    steps = run.snapshot_steps()
    if not steps:
        raise UserError(
            f"run {run.name} kept no snapshots; train again with --set training.snapshots=true"
            " (2 bytes a parameter for every evaluation)"
        )
    text = text.strip()
    rows: list[dict[str, Any]] = []
    tokens: list[str] = []
    for step in progress(steps):
        tokens, bits = title_bits(Model.load(run, step), text)
        total = math.fsum(bits)
        row = {"step": step, "surprisal_bits": total, "tokens_bits": bits}
        rows.append({**row, "nats_per_char": nats_per_char(total, text)})
    return {"run": run.name, "text": text, "tokens": tokens, "steps": rows}
