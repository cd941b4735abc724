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
    return _score(scorer, ids_N, eos_id, rows, None)


def _score(scorer: Scorer, ids_N: np.ndarray, eos_id: int, rows: Rows, from_R: np.ndarray | None) -> np.ndarray:
    """With `from_R`, each row's inputs and targets are other ones from that place in the row on."""
    check_rows(rows, len(ids_N))
    inputs_N = np.concatenate(([eos_id], ids_N[:-1]))
    width = int((rows.stop - rows.start).max(initial=1))
    log_probs_N = np.full(len(ids_N), np.nan)
    for low in range(0, len(rows.start), _ROWS_PER_BATCH):
        batch = [column[low : low + _ROWS_PER_BATCH] for column in rows]
        # one static shape: short rows are padded on the right, where a causal model cannot look
        x_RT = np.full((_ROWS_PER_BATCH, width), eos_id, dtype=np.int64)
        y_RT = np.full((_ROWS_PER_BATCH, width), eos_id, dtype=np.int64)
        for r, (start, _, stop) in enumerate(zip(*batch, strict=True)):
            x_RT[r, : stop - start] = inputs_N[start:stop]
            y_RT[r, : stop - start] = ids_N[start:stop]
            if from_R is not None:
                for ids_T in (x_RT[r], y_RT[r]):
                    ids_T[from_R[low + r] :] = np.where(ids_T[from_R[low + r] :] == eos_id, int(eos_id == 0), eos_id)
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

    A probe changes inputs and targets from some place on and scores all rows again: what stands before that place must
    stay. The first changed input is the target just before it, which itself stays, so a model that looks one token
    ahead, at what it has to predict, is seen too. Two kinds of probes:

    - `n_probes` positions of the stream, evenly spread: no row may look into a later one.
    - Each row from a place of its own, in as many passes as it takes for every place in a row to have its turn: a model
      may look ahead at some places only, such as the last one of a chunk.

    Infinite where a changed row makes an earlier log-probability no number.
    """
    before_N = exact_log_probs(scorer, ids_N, eos_id, rows)
    n_rows, width_R = len(rows.start), rows.stop - rows.start
    probes = [np.clip(p - rows.start, 0, width_R) for p in np.linspace(1, len(ids_N) - 1, n_probes).astype(int)]
    n_passes = -(-int(width_R.max()) // n_rows)
    probes += [(np.arange(n_rows) * n_passes + k) % width_R for k in range(n_passes)]
    worst = 0.0
    for from_R in probes:
        moved_N = np.abs(_score(scorer, ids_N, eos_id, rows, from_R) - before_N)
        for start, first, stop, place in zip(*rows, from_R, strict=True):
            earlier = moved_N[first : max(first, min(stop, start + place))]
            worst = max(worst, float(np.where(np.isfinite(earlier), earlier, np.inf).max(initial=0.0)))
    return worst
