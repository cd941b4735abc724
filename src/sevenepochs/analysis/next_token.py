"""The most probable next tokens at a place of the first stock validation window.

The story's chart: row B of the window 64x128, context tokens 0..T inclusive, prediction of token T+1. The stock
model answers `<eos>` everywhere, which its loss alone does not tell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE
from sevenepochs.protocol.scoring import stock_windows
from sevenepochs.trained import TrainedRun

STORY_PLACES = ((0, 10), (0, 80))


def at_place(trained: TrainedRun, validation_ids: np.ndarray, row: int, position: int, k: int = 10) -> dict[str, Any]:
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
    return {"row": row, "position": position, **predict(trained, context, k, truth=int(y_RT[row, position]))}


@torch.no_grad()
def predict(trained: TrainedRun, context_ids: np.ndarray, k: int = 10, truth: int | None = None) -> dict[str, Any]:
    """Top-k next tokens after a context: decoded context, tokens, probabilities; rank (from 1) and surprisal of the
    truth."""
    model, tokenizer = trained.model, trained.tokenizer
    x_BT = torch.from_numpy(np.asarray(context_ids, dtype=np.int64))[None, -model.block_size :]
    log_probs_V = model.logits(model(x_BT))[0, -1].float().log_softmax(-1)
    values, ids = log_probs_V.topk(min(k, len(log_probs_V)))
    result: dict[str, Any] = {
        "context": tokenizer.decode(context_ids.tolist()),
        "top": [
            {"id": int(i), "token": tokenizer.decode([int(i)]), "probability": float(v.exp())}
            for v, i in zip(values, ids, strict=True)
        ],
    }
    if truth is not None:
        result["truth"] = {
            "id": truth,
            "token": tokenizer.decode([truth]),
            "probability": float(log_probs_V[truth].exp()),
            "rank": int((log_probs_V > log_probs_V[truth]).sum()) + 1,
            "surprisal_bits": float(-log_probs_V[truth] / np.log(2)),
        }
    return result
