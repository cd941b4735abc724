"""The stock metric, the exact metric, and the causality check. No torch: a scorer hands over log-probabilities.

N targets in the validation stream, R rows in a batch, T positions in a row. Losses are nats per character of the
joined text; sums are fp64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from sevenepochs.protocol.rows import Rows, check_rows

_ROWS_PER_BATCH = 64


class Scorer(Protocol):
    """A frozen model. `log_probs(x_RT, y_RT)[r, t]` is ln p(y[r, t] | x[r, 0..t]), computed from fp32 logits.

    Rows do not see each other, and nothing is remembered between calls.
    """

    def log_probs(self, x_RT: np.ndarray, y_RT: np.ndarray) -> np.ndarray: ...


def exact_log_probs(scorer: Scorer, ids_N: np.ndarray, eos_id: int, rows: Rows) -> np.ndarray:
    """ln p of every target of the validation stream, each exactly once, as fp64 of shape (N,).

    The stream is taken to follow one `<eos>`, so its first token is scored too.

    Raises:
        ValueError: the rows do not score each target exactly once.
    """
    return _score(scorer, _inputs(ids_N, eos_id), ids_N, eos_id, rows)


def _inputs(ids_N: np.ndarray, eos_id: int) -> np.ndarray:
    """What a model has read last when it predicts each target."""
    return np.concatenate(([eos_id], ids_N[:-1]))


def _score(scorer: Scorer, inputs_N: np.ndarray, targets_N: np.ndarray, eos_id: int, rows: Rows) -> np.ndarray:
    check_rows(rows, len(targets_N))
    width = int((rows.stop - rows.start).max(initial=1))
    log_probs_N = np.full(len(targets_N), np.nan)
    for low in range(0, len(rows.start), _ROWS_PER_BATCH):
        batch = [column[low : low + _ROWS_PER_BATCH] for column in rows]
        # one static shape: short rows are padded on the right, where a causal model cannot look
        x_RT = np.full((_ROWS_PER_BATCH, width), eos_id, dtype=np.int64)
        y_RT = np.full((_ROWS_PER_BATCH, width), eos_id, dtype=np.int64)
        for r, (start, _, stop) in enumerate(zip(*batch, strict=True)):
            x_RT[r, : stop - start] = inputs_N[start:stop]
            y_RT[r, : stop - start] = targets_N[start:stop]
        log_probs_RT = scorer.log_probs(x_RT, y_RT)
        for r, (start, first, stop) in enumerate(zip(*batch, strict=True)):
            log_probs_N[first:stop] = log_probs_RT[r, first - start : stop - start]
    return log_probs_N


def exact_val_loss(log_probs_N: np.ndarray, n_chars: int) -> float:
    """-(1/L) sum ln p, nats per character; L counts each `<eos>` as 5 characters."""
    return -math.fsum(log_probs_N) / n_chars


def exact_val_bpc(log_probs_N: np.ndarray, n_chars: int, n_titles: int) -> float:
    """Bits per character of the titles alone (the `<eos>` characters taken off the denominator)."""
    return -math.fsum(log_probs_N) / math.log(2) / (n_chars - 5 * n_titles)


def title_losses(log_probs_N: np.ndarray, ids_N: np.ndarray, eos_id: int) -> np.ndarray:
    """Nats of each title: the sum over its tokens and its closing `<eos>`, shape (titles,)."""
    ends = np.flatnonzero(ids_N == eos_id)
    starts = np.concatenate(([0], ends[:-1] + 1))
    return -np.add.reduceat(log_probs_N, starts)


def stock_windows(ids_N: np.ndarray, batch_size: int, block_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The challenge's evaluation windows: stride batch*block+1, tail dropped, the token between windows no target."""
    span = batch_size * block_size + 1
    for start in range(0, len(ids_N) - span + 1, span):
        window = ids_N[start : start + span].astype(np.int64)
        yield window[:-1].reshape(batch_size, block_size), window[1:].reshape(batch_size, block_size)


def stock_val_loss(
    scorer: Scorer, ids_N: np.ndarray, n_chars: int, batch_size: int, block_size: int
) -> tuple[float | None, float]:
    """The challenge's `evaluate()`: summed loss of the scored tokens over *all* characters, and the share scored.

    The loss is None when no window fits, where the challenge would print a perfect 0.
    """
    nats, n_scored = 0.0, 0
    for x_RT, y_RT in stock_windows(ids_N, batch_size, block_size):
        nats -= math.fsum(scorer.log_probs(x_RT, y_RT).ravel())
        n_scored += y_RT.size
    return (nats / n_chars if n_scored else None), n_scored / len(ids_N)


def causality_violation(scorer: Scorer, ids_N: np.ndarray, eos_id: int, rows: Rows, n_probes: int = 4) -> float:
    """Largest move of an earlier log-probability when later tokens are changed; 0 (up to rounding) if causal.

    Every probe changes inputs and targets from a position on and scores the stream again: log-probabilities before that
    position must stay, whichever row they stand in. The first input that changes is the target just before it, which
    itself stays: a model that looks one token ahead, at what it has to predict, is seen too. The positions are spread
    evenly.
    """
    inputs_N = _inputs(ids_N, eos_id)
    before_N = _score(scorer, inputs_N, ids_N, eos_id, rows)
    worst = 0.0
    for position in np.linspace(1, len(ids_N) - 1, n_probes).astype(int):
        x_N, y_N = (_changed_from(position, stream_N, eos_id) for stream_N in (inputs_N, ids_N))
        after_N = _score(scorer, x_N, y_N, eos_id, rows)
        worst = max(worst, float(np.abs(after_N - before_N)[:position].max()))
    return worst


def _changed_from(position: int, ids_N: np.ndarray, eos_id: int) -> np.ndarray:
    """Every id from there on another one: `<eos>` where there was none, and the other way round."""
    later = np.arange(len(ids_N)) >= position
    return np.where(later, np.where(ids_N == eos_id, int(eos_id == 0), eos_id), ids_N)
