"""All figures of a finished model: the protocol's five, the exact loss under stock rows, floor and excess; and whether
it is causal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sevenepochs.data.corpus.base import Floor
from sevenepochs.experiment import Data, Experiment
from sevenepochs.protocol.figures import all_figures
from sevenepochs.protocol.rows import Rows, stock_rows
from sevenepochs.protocol.scoring import Scorer, causality_violation, exact_log_probs, exact_val_loss

_CAUSALITY_TOKENS = 64 * 128  # one batch of rows


class FinalFigures(NamedTuple):
    """Figures by name (losses in nats per character), and the log-probabilities (N,) behind the exact loss under the
    recipe's rows and under stock rows; the latter None where they are the same."""

    figures: dict[str, float | None]
    log_probs_N: np.ndarray
    stock_log_probs_N: np.ndarray | None


def final_figures(experiment: Experiment, data: Data, scorer: Scorer) -> FinalFigures:
    """All figures of a finished model.

    `exact_val_loss_stock_rows` is there only where the recipe's rows are others, so that a gain from rows alone can be
    told apart; floor and excess only where the corpus's distribution is known.
    """
    validation, batches = data.validation, experiment.batches
    rows = experiment.scoring_rows(data)
    figures, log_probs_N = all_figures(scorer, validation, rows, batches.batch_size, batches.block_size)
    stock_N = None
    if not _are_stock(rows, len(validation.ids_N)):
        stock = stock_rows(len(validation.ids_N))
        stock_N = exact_log_probs(scorer, validation.ids_N, validation.eos_id, stock)
        figures["exact_val_loss_stock_rows"] = exact_val_loss(stock_N, validation.n_chars)
    add_floor(figures, data.corpus.floor(data.split.validation))
    return FinalFigures(figures, log_probs_N, stock_N)


def causality_of(experiment: Experiment, data: Data, scorer: Scorer) -> float:
    """`scoring.causality_violation`, nats, on the first of the validation tokens in the recipe's rows."""
    ids_N, eos_id = data.validation.ids_N[:_CAUSALITY_TOKENS], data.validation.eos_id
    return causality_violation(scorer, ids_N, eos_id, experiment.batches.scoring_rows(ids_N, eos_id))


def add_floor(figures: dict[str, float | None], floor: Floor | None) -> None:
    """On a corpus whose distribution is known, every evaluation shows loss, floor and excess."""
    if floor is not None and figures["exact_val_loss"] is not None:
        figures["floor_val_loss"] = floor.value_nats_per_char
        figures["excess_val_loss"] = figures["exact_val_loss"] - floor.value_nats_per_char


def _are_stock(rows: Rows, n_targets: int) -> bool:
    """Whether the rows are the protocol's stock rows."""
    return all(map(np.array_equal, rows, stock_rows(n_targets)))
