"""Percentile bootstrap over titles, of a ratio of two sums: nats over characters, or one model's nats over another's.

Titles are drawn with replacement, 10,000 times, from a seeded generator (Efron 1979, doi:10.1214/aos/1176344552). The
models stay as they are. n titles, D draws.
"""

from __future__ import annotations

import numpy as np

DRAWS = 10_000
BOOTSTRAP_SEED = 1337
LEVEL = 0.95
_DRAWS_AT_ONCE = 250  # counts of 250 draws x 10,000 titles take 20 MB


def ratio_draws(over_n: np.ndarray, under_n: np.ndarray, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """Return the ratio (sum of `over_n`) / (sum of `under_n`) of every draw: (D,)."""
    n_titles = len(over_n)
    columns = np.column_stack([under_n, over_n]).astype(np.float64)
    ratios_D = np.empty(draws)
    for start in range(0, draws, _DRAWS_AT_ONCE):
        size = min(_DRAWS_AT_ONCE, draws - start)
        drawn = rng.integers(0, n_titles, size=(size, n_titles), dtype=np.int64)
        drawn += n_titles * np.arange(size)[:, None]
        times_Dn = np.bincount(drawn.ravel(), minlength=size * n_titles).reshape(size, n_titles)
        sums = times_Dn.astype(np.float64) @ columns
        ratios_D[start : start + size] = sums[:, 1] / sums[:, 0]
    return ratios_D


def percentiles(ratios_D: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval that leaves out as many draws on either side."""
    low, high = np.quantile(ratios_D, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
