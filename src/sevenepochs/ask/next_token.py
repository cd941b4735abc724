"""The most probable next tokens: after any text, at every token of a title, or at a place of the validation text; and
one title under two runs.

A place is (B, T): row B of the first stock validation window 64x128, context tokens 0..T inclusive, prediction of T+1.

T position in the context, V vocabulary.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from sevenepochs.ask.model import Ids, Model
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EOS, STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE
from sevenepochs.protocol.scoring import stock_windows


def likeliest(log_probs_V: np.ndarray, k: int) -> np.ndarray:
    """Return the ids of the k most probable tokens, most probable first; equal ones by id."""
    k = min(k, len(log_probs_V))
    ids_k = np.argpartition(-log_probs_V, k - 1)[:k]
    return ids_k[np.lexsort((ids_k, -log_probs_V[ids_k]))]


def rank(log_probs_V: np.ndarray, id: int) -> int:
    """Return a token's place among all by probability, from 1."""
    return int((log_probs_V > log_probs_V[id]).sum()) + 1


def top(model: Model, log_probs_V: np.ndarray, k: int) -> list[dict[str, Any]]:
    """Return rows of `id`, `token` and `probability` of the k most probable tokens."""
    return [
        {"id": int(i), "token": model.tokenizer.show(int(i)), "probability": math.exp(log_probs_V[i])}
        for i in likeliest(log_probs_V, k)
    ]


def standing(model: Model, log_probs_V: np.ndarray, id: int) -> dict[str, Any]:
    """Return where one token stands in a prediction: `probability`, `rank` (from 1) and `surprisal_bits`."""
    return {
        "id": id,
        "token": model.tokenizer.show(id),
        "probability": math.exp(log_probs_V[id]),
        "rank": rank(log_probs_V, id),
        "surprisal_bits": -float(log_probs_V[id]) / math.log(2),
    }


def nats_per_char(bits: float, text: str) -> float:
    """Return a title's loss per character, its closing `<eos>` counted as 5, as the metric does."""
    return bits * math.log(2) / (len(text) + len(EOS))


def predict(model: Model, context: Ids, k: int = 10, truth: int | None = None) -> dict[str, Any]:
    """Return the `top` k next tokens after a context, the decoded `context` and, where one is given, how the `truth`
    stands."""
    log_probs_V = model.next_log_probs(context)
    result: dict[str, Any] = {"context": model.decode(context), "top": top(model, log_probs_V, k)}
    if truth is not None:
        result["truth"] = standing(model, log_probs_V, truth)
    return result


def at_place(model: Model, validation_ids: np.ndarray, row: int, position: int, k: int = 10) -> dict[str, Any]:
    """Return the prediction of token `position`+1 in `row` of the first stock validation window.

    A validation stream that is shorter than the window serves as one row from its start.

    Raises:
        UserError: the place lies outside the window.
    """
    window = next(stock_windows(validation_ids, STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE), None)
    if window is None:
        row_T = validation_ids[: STOCK_BLOCK_SIZE + 1].astype(np.int64)
        x_RT, y_RT = row_T[None, :-1], row_T[None, 1:]
    else:
        x_RT, y_RT = window
    if not (0 <= row < x_RT.shape[0] and 0 <= position < x_RT.shape[1]):
        n_rows, n_tokens = x_RT.shape
        raise UserError(f"place {row},{position} is outside the window of {n_rows} rows x {n_tokens} tokens")
    context = x_RT[row, : position + 1]
    return {"row": row, "position": position, **predict(model, context, k, truth=int(y_RT[row, position]))}


def read(model: Model, text: str, k: int = 10) -> dict[str, Any]:
    """Return what the model makes of a title, token by token and read alone after `<eos>`; its end counts as a token.

    Returns:
        `tokens`: a row each with `id`, `token`, `start` and `stop` (characters of the text), `probability`, `rank`,
        `surprisal_bits` and the `top` k that were expected there; the last is the closing `<eos>`. `surprisal_bits`:
        their sum. `nats_per_char`: the sum over the characters.

    Raises:
        UserError: more tokens than the model reads at once.
    """
    text = text.strip()
    context = model.encode(text)
    _, spans = model.tokenizer.encode_with_spans(text)
    truths = [*context[1:].tolist(), model.eos_id]
    places = zip(model.all_log_probs(context), truths, [*spans, (len(text), len(text))], strict=True)
    tokens = [
        {**standing(model, log_probs_V, truth), "start": start, "stop": stop, "top": top(model, log_probs_V, k)}
        for log_probs_V, truth, (start, stop) in places
    ]
    bits = math.fsum(token["surprisal_bits"] for token in tokens)
    return {"text": text, "tokens": tokens, "surprisal_bits": bits, "nats_per_char": nats_per_char(bits, text)}


def on_one_title(first: Model, second: Model, text: str) -> dict[str, Any]:
    """Return where the second run gained or lost bits on a title that both read alone after `<eos>`.

    Vocabularies may differ, so tokens are lined up by the characters they stand for: a segment is the shortest stretch
    of text that both tokenizers cut at both ends. Totals are over the title and its closing `<eos>`.

    Returns:
        `runs`: two rows of `run`, `n_tokens`, `surprisal_bits`, `nats_per_char`. `segments`: rows of `start` and `stop`
        (characters of `text`; the last, empty one is the closing `<eos>`), `text`, and for both runs in order `bits`
        and `tokens`; `gained_bits`: what the second run saved.
    """
    text = text.strip()
    sides = [_side(model, text) for model in (first, second)]
    cuts = sorted(_cuts(sides[0], len(text)) & _cuts(sides[1], len(text)))
    segments = []
    for start, stop in [*itertools.pairwise(cuts), (len(text), len(text))]:
        parts = [side[-1:] if start == stop else [t for t in side[:-1] if start <= t.start < stop] for side in sides]
        bits = [math.fsum(token.bits for token in part) for part in parts]
        segments.append(
            {
                "start": start,
                "stop": stop,
                "text": text[start:stop] if stop > start else "<eos>",
                "bits": bits,
                "tokens": [[token.shown for token in part] for part in parts],
                "gained_bits": bits[0] - bits[1],
            }
        )
    runs = []
    for model, side in zip((first, second), sides, strict=True):
        total = math.fsum(token.bits for token in side)
        row = {"run": model.name, "n_tokens": len(side), "surprisal_bits": total}
        runs.append({**row, "nats_per_char": nats_per_char(total, text)})
    return {"text": text, "runs": runs, "segments": segments}


def title_bits(model: Model, text: str) -> tuple[list[str], list[float]]:
    """Return the readable tokens of a title, the closing `<eos>` last, and the bits of each, read alone."""
    context = [*model.encode(text).tolist(), model.eos_id]
    (log_probs,) = model.log_probs_of([context])
    return model.tokens(context[1:]), (-log_probs / math.log(2)).tolist()


class _Token(NamedTuple):
    """`start` and `stop`: the characters of the text that it stands for."""

    shown: str
    bits: float
    start: int
    stop: int


def _side(model: Model, text: str) -> list[_Token]:
    _, spans = model.tokenizer.encode_with_spans(text)
    tokens = zip(*title_bits(model, text), [*spans, (len(text), len(text))], strict=True)
    return [_Token(shown, bits, *span) for shown, bits, span in tokens]


def _cuts(side: list[_Token], end: int) -> set[int]:
    """Where the text is cut; tokens that share a character (its bytes, or the space put before the text) are not."""
    return {0, end} | {token.stop for token, later in itertools.pairwise(side) if later.start >= token.stop}
