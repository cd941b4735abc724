"""Calibration: when the model is 30 % sure of its best token, is it right 30 % of the time? No torch.

Reliability diagram and expected calibration error as in Guo et al. 2017 (arXiv:1706.04599): positions are sorted into
15 equal bins by the probability of the most probable token; the error is the mean over positions of the distance
between a bin's mean probability and its share of right answers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sevenepochs.ask.predictions import Predictions

N_BINS = 15


def analyze(observed: Predictions, ids_N: np.ndarray) -> dict[str, Any]:
    """`bins` (each with `low`, `high`, `n`, and where n > 0 `confidence`, `accuracy` and its 95 % interval by Wilson),
    `expected_calibration_error`, mean `confidence`, `accuracy`, `n_tokens`."""
    confidence_N = observed.top_probability_N
    right_N = observed.top_N == ids_N
    bin_N = np.minimum((confidence_N * N_BINS).astype(int), N_BINS - 1)
    bins = []
    for index in range(N_BINS):
        inside = bin_N == index
        n = int(inside.sum())
        row: dict[str, Any] = {"low": index / N_BINS, "high": (index + 1) / N_BINS, "n": n}
        if n:
            accuracy = float(right_N[inside].mean())
            row.update(confidence=float(confidence_N[inside].mean()), accuracy=accuracy, interval=wilson(accuracy, n))
        bins.append(row)
    gaps = [row["n"] * abs(row["confidence"] - row["accuracy"]) for row in bins if row["n"]]
    return {
        "n_tokens": len(ids_N),
        "expected_calibration_error": math.fsum(gaps) / len(ids_N),
        "confidence": float(confidence_N.mean()),
        "accuracy": float(right_N.mean()),
        "bins": bins,
    }


def wilson(share: float, n: int) -> list[float]:
    """95 % interval of a share out of n independent cases (Wilson 1927); never outside [0, 1]."""
    from scipy.stats import binomtest  # half a second, for those who ask

    low, high = binomtest(round(share * n), n).proportion_ci(method="wilson")
    return [float(low), float(high)]
