"""A model's predictions along the validation stream, each reduced to five numbers. No torch.

The collapse check and the calibration need whole distributions, which are too large to keep (16,000 numbers per token).

R rows, T positions in a row, N targets of the stream, V vocabulary. Bits, not nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sevenepochs.protocol.rows import Rows, check_rows

_ROWS_PER_BATCH = 64
_NEVER = np.float32(-200)  # its exponential is 0 in fp32
_LOG2 = np.float32(math.log(2))

Distributions = Callable[[np.ndarray], Iterator[np.ndarray]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Predictions:
    """A model's predictions at each target of the validation stream.

    Attributes:
        log_probs_N: ln p of the target, fp64.
        top_N: the most probable token's id; of equals the smallest.
        top_probability_N: its probability.
        entropy_bits_N: of the prediction.
        kl_bits_N: Kullback-Leibler divergence of the prediction from the training frequencies.
        mean_V: the mean prediction, fp64, sums to 1.
    """

    log_probs_N: np.ndarray
    top_N: np.ndarray
    top_probability_N: np.ndarray
    entropy_bits_N: np.ndarray
    kl_bits_N: np.ndarray
    mean_V: np.ndarray


def predict_stream(
    distributions: Distributions,
    ids_N: np.ndarray,
    eos_id: int,
    rows: Rows,
    frequencies_V: np.ndarray,
    progress: Progress = lambda done, total: None,
) -> Predictions:
    """Run the model over all rows and return its predictions.

    Args:
        distributions: rows of input ids x_RT to fp32 log-probabilities (r, T, V), some rows at a time in order, as
            `Model.distributions`.
        ids_N, eos_id: as a scorer is given them; an `<eos>` may carry facts (data/facts.py).
        rows: each target exactly once, as the exact metric has them.
        frequencies_V: none of them 0.
        progress: called with the number of rows done, and of all.

    Raises:
        ValueError: the rows do not score each target exactly once.
    """
    n_targets, n_rows = len(ids_N), len(rows.start)
    check_rows(rows, n_targets)
    inputs_N = np.concatenate(([eos_id], ids_N[:-1])).astype(np.int64)
    ids_N = ids_N % len(frequencies_V)  # a target tells nothing of the next title
    width = int((rows.stop - rows.start).max(initial=1))
    log_frequencies_V = np.log(frequencies_V).astype(np.float32)
    log_probs_N, top_N = np.zeros(n_targets), np.zeros(n_targets, dtype=np.int64)
    top_probability_N, entropy_N, kl_N = (np.zeros(n_targets) for _ in range(3))
    sum_V = np.zeros(len(frequencies_V))
    for low in range(0, n_rows, _ROWS_PER_BATCH):
        start, first, stop = (column[low : low + _ROWS_PER_BATCH, None] for column in rows)
        # at_RT: which input a place holds; short rows go on with the stream, where a causal model cannot look
        at_RT = start + np.arange(width)
        counts_RT = (at_RT >= first) & (at_RT < stop)
        r = 0
        for log_probs_rTV in distributions(inputs_N[np.minimum(at_RT, n_targets - 1)]):
            counts_rT = counts_RT[r : r + len(log_probs_rTV)]
            at_n = at_RT[r : r + len(log_probs_rTV)][counts_rT]
            r += len(log_probs_rTV)
            log_probs_nV = log_probs_rTV[counts_rT]
            log_probs_N[at_n] = log_probs_nV[np.arange(len(at_n)), ids_N[at_n]]
            np.maximum(log_probs_nV, _NEVER, out=log_probs_nV)  # 0 times minus infinity would not be 0
            probs_nV = np.exp(log_probs_nV)
            entropy_n = -np.einsum("nv,nv->n", probs_nV, log_probs_nV)
            top_n = log_probs_nV.argmax(axis=1)
            top_N[at_n], top_probability_N[at_n] = top_n, probs_nV[np.arange(len(at_n)), top_n]
            entropy_N[at_n] = entropy_n / _LOG2
            kl_N[at_n] = (-entropy_n - probs_nV @ log_frequencies_V) / _LOG2
            sum_V += np.ones(len(at_n), dtype=np.float32) @ probs_nV
        progress(min(low + _ROWS_PER_BATCH, n_rows), n_rows)
    return Predictions(log_probs_N, top_N, top_probability_N, entropy_N, kl_N, sum_V / sum_V.sum())
