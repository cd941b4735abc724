"""The figures that are always reported together, computed in one place. No torch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sevenepochs.protocol.budget import STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE
from sevenepochs.protocol.rows import Rows
from sevenepochs.protocol.scoring import Scorer, exact_log_probs, exact_val_bpc, exact_val_loss, stock_val_loss


class Validation(NamedTuple):
    """What a model is scored on: the validation stream's ids, its character and title counts, and `<eos>`'s id."""

    ids_N: np.ndarray
    n_chars: int
    n_titles: int
    eos_id: int


def interim_figures(
    scorer: Scorer, validation: Validation, rows: Rows, batch_size: int, block_size: int
) -> dict[str, float | None]:
    """The two figures of every evaluation during a run."""
    log_probs_N = exact_log_probs(scorer, validation.ids_N, validation.eos_id, rows)
    own, _ = stock_val_loss(scorer, validation.ids_N, validation.n_chars, batch_size, block_size)
    return {
        "exact_val_loss": exact_val_loss(log_probs_N, validation.n_chars),
        "official_val_loss_own_geometry": own,
    }


def all_figures(
    scorer: Scorer, validation: Validation, rows: Rows, batch_size: int, block_size: int
) -> tuple[dict[str, float | None], np.ndarray]:
    """The five figures of protocol.md, and the log-probabilities (N,) behind the exact ones."""
    log_probs_N = exact_log_probs(scorer, validation.ids_N, validation.eos_id, rows)
    own, fraction = stock_val_loss(scorer, validation.ids_N, validation.n_chars, batch_size, block_size)
    if (batch_size, block_size) == (STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE):
        official = own
    else:
        official, _ = stock_val_loss(scorer, validation.ids_N, validation.n_chars, STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE)
    figures = {
        "exact_val_loss": exact_val_loss(log_probs_N, validation.n_chars),
        "exact_val_bpc": exact_val_bpc(log_probs_N, validation.n_chars, validation.n_titles),
        "official_val_loss": official,
        "official_val_loss_own_geometry": own,
        "val_scored_fraction": fraction,
    }
    return figures, log_probs_N
