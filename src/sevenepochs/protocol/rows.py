"""How a validation stream is cut into rows for scoring, as plain numbers. No torch.

The input stream is (`<eos>`, t_1 .. t_{N-1}); its position i predicts target t_{i+1}, numbered i from 0 here. A row
reads input positions start..stop-1 and contributes the log-probabilities of targets first..stop-1: what lies before
`first` is left context only. Rows of every recipe must give each target exactly once (`check_rows`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sevenepochs.protocol.budget import STOCK_BLOCK_SIZE


class Rows(NamedTuple):
    """Three int64 arrays of shape (R,): `start <= first < stop`, in stream positions."""

    start: np.ndarray
    first: np.ndarray
    stop: np.ndarray


def stock_rows(n_targets: int, block_size: int = STOCK_BLOCK_SIZE) -> Rows:
    """Consecutive rows of `block_size`, the last one shorter: the protocol's stock rows at the default of 128."""
    start = np.arange(0, n_targets, block_size, dtype=np.int64)
    return Rows(start, start.copy(), np.minimum(start + block_size, n_targets))


def check_rows(rows: Rows, n_targets: int) -> None:
    """Raise ValueError unless every target 0..n_targets-1 is scored exactly once."""
    if not (np.all(rows.start >= 0) and np.all(rows.start <= rows.first) and np.all(rows.stop <= n_targets)):
        raise ValueError("scoring rows leave the stream")
    times = np.zeros(n_targets + 1, dtype=np.int64)
    np.add.at(times, rows.first, 1)
    np.add.at(times, rows.stop, -1)
    wrong = np.flatnonzero(np.cumsum(times)[:n_targets] != 1)
    if wrong.size:
        raise ValueError(f"scoring rows score target {wrong[0]} not exactly once ({wrong.size} such targets)")
