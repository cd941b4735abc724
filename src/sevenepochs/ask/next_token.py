"""The most probable next tokens: after any text, at every token of a title, or at a place of the validation text.

The story's chart is a place (B, T): row B of the first stock validation window 64x128, context tokens 0..T inclusive,
prediction of token T+1. The stock model answers `<eos>` everywhere, which its loss alone does not tell.

T position in the context, V vocabulary.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sevenepochs.ask.reader import Ids, Reader
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EOS, STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE
from sevenepochs.protocol.scoring import stock_windows


def at_place(reader: Reader, validation_ids: np.ndarray, row: int, position: int, k: int = 10) -> dict[str, Any]:
    """Top-k predictions of token `position`+1 in `row` of the first stock validation window.

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
        raise UserError(
            f"place {row},{position} is outside the window of {x_RT.shape[0]} rows x {x_RT.shape[1]} tokens"
        )
    context = x_RT[row, : position + 1]
    return {"row": row, "position": position, **predict(reader, context, k, truth=int(y_RT[row, position]))}


def predict(reader: Reader, context: Ids, k: int = 10, truth: int | None = None) -> dict[str, Any]:
    """Top-k next tokens after a context: decoded context, tokens, probabilities; rank (from 1) and surprisal of the
    truth, where one is given."""
    log_probs_V = reader.next_log_probs(context)
    result: dict[str, Any] = {"context": reader.decode(context), "top": top(reader, log_probs_V, k)}
    if truth is not None:
        result["truth"] = standing(reader, log_probs_V, truth)
    return result


def read(reader: Reader, text: str, k: int = 10) -> dict[str, Any]:
    """What the model makes of a title, token by token and read alone after `<eos>`; its end counts as a token.

    Returns:
        `tokens`: a row each with `id`, `token`, `start` and `stop` (characters of the text), `probability`, `rank`,
        `surprisal_bits` and the `top` k that were expected there; the last is the closing `<eos>`. `surprisal_bits`:
        their sum. `nats_per_char`: the sum over the characters, the closing `<eos>` counted as 5, as the metric does.

    Raises:
        UserError: more tokens than the model reads at once.
    """
    text = text.strip()
    context = reader.encode(text)
    _, spans = reader.tokenizer.encode_with_spans(text)
    log_probs_TV = reader.all_log_probs(context)
    truths = [*context[1:].tolist(), reader.eos_id]
    tokens = [
        {
            **standing(reader, log_probs_V, truth),
            "start": start,
            "stop": stop,
            "top": top(reader, log_probs_V, k),
        }
        for log_probs_V, truth, (start, stop) in zip(
            log_probs_TV, truths, [*spans, (len(text), len(text))], strict=True
        )
    ]
    bits = math.fsum(token["surprisal_bits"] for token in tokens)
    nats_per_char = bits * math.log(2) / (len(text) + len(EOS))
    return {"text": text, "tokens": tokens, "surprisal_bits": bits, "nats_per_char": nats_per_char}


def top(reader: Reader, log_probs_V: np.ndarray, k: int) -> list[dict[str, Any]]:
    """The k most probable tokens, most probable first; equal ones by id."""
    k = min(k, len(log_probs_V))
    ids = np.argpartition(-log_probs_V, k - 1)[:k]
    ids = ids[np.lexsort((ids, -log_probs_V[ids]))]
    return [
        {"id": int(i), "token": reader.tokenizer.show(int(i)), "probability": math.exp(log_probs_V[i])} for i in ids
    ]


def standing(reader: Reader, log_probs_V: np.ndarray, id: int) -> dict[str, Any]:
    """Where one token stands in a prediction: probability, rank (from 1) and surprisal in bits."""
    return {
        "id": id,
        "token": reader.tokenizer.show(id),
        "probability": math.exp(log_probs_V[id]),
        "rank": int((log_probs_V > log_probs_V[id]).sum()) + 1,
        "surprisal_bits": -float(log_probs_V[id]) / math.log(2),
    }
