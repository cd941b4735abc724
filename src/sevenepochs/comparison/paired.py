"""The difference of two recipes on the same validation titles, with intervals over titles, over seeds, and over both.

Sizes: n titles, S seeds that both recipes were trained with, K ratios at once. A difference is a ratio of sums over
titles, (sum of d_i) / (sum of c_i): d_i is the difference of a title's two losses in nats, c_i its characters. It
equals the difference of the two exact losses. Negative: the second recipe is better.

Over titles: percentile bootstrap (Efron 1979, doi:10.1214/aos/1176344552). Titles are drawn with replacement, 10,000
times, from a seeded generator. The models stay as they are. D draws.
Over seeds: mean and t interval of the S paired differences. The titles stay as they are.
Over both: titles and seeds are crossed, so the variances add, less what both contain:
    V = V_titles + V_seeds - V_interaction        (two-way clustering; Cameron, Gelbach & Miller 2011)
and the t quantile has Satterthwaite's degrees of freedom. V_titles is the linearised variance of the ratio.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sevenepochs.errors import UserError
from sevenepochs.store.title_losses import TitleLosses

DRAWS = 10_000
BOOTSTRAP_SEED = 1337
LEVEL = 0.95
_DRAWS_AT_ONCE = 250  # counts of 250 draws x 10,000 titles take 20 MB


class Interval(NamedTuple):
    """Nats per character."""

    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class PairedDifference:
    """Second recipe minus first, nats per character; negative means that the second is better.

    Attributes:
        per_seed: one difference per pair of runs.
        seeds: the seeds of those pairs, as (first's, second's).
        over_titles: None for a single title.
        over_seeds, over_both: None with fewer than two pairs.
        share_better: share of titles on which the second recipe's loss, averaged over seeds, is lower.
    """

    value: float
    n_titles: int
    seeds: tuple[tuple[int, int], ...]
    per_seed: tuple[float, ...]
    over_titles: Interval | None
    over_seeds: Interval | None
    over_both: Interval | None
    share_better: float

    @property
    def n_pairs(self) -> int:
        return len(self.per_seed)

    @property
    def widest(self) -> Interval | None:
        """The interval over both, else over titles."""
        return self.over_both or self.over_titles

    @property
    def identical(self) -> bool:
        """Not one title's loss differs: the same run twice, or a change that changed nothing."""
        return self.value == 0 and self.over_titles == (0.0, 0.0)


def paired_difference(
    first: Sequence[TitleLosses], second: Sequence[TitleLosses], seeds: Sequence[tuple[int, int]], *, draws: int = DRAWS
) -> PairedDifference:
    """Compare two recipes, run by run.

    Args:
        first, second: one entry per pair, in the order of `seeds`.

    Raises:
        UserError: nothing to pair, or titles that differ in number or length.
    """
    chars_n, differences_nS = _differences(first, second)
    mean_n = differences_nS.mean(axis=1)
    per_seed = differences_nS.sum(axis=0) / chars_n.sum()
    return PairedDifference(
        value=float(per_seed.mean()),
        n_titles=len(chars_n),
        seeds=tuple(seeds),
        per_seed=tuple(float(value) for value in per_seed),
        over_titles=title_interval(mean_n, chars_n, draws),
        over_seeds=mean_interval(per_seed),
        over_both=_both_interval(differences_nS, chars_n),
        share_better=float((mean_n < 0).mean()),
    )


def title_interval(nats_n: np.ndarray, chars_n: np.ndarray, draws: int = DRAWS) -> Interval | None:
    """Return the percentile bootstrap of (sum of nats) / (sum of characters); None for a single title."""
    if len(nats_n) < 2:
        return None
    return Interval(*percentiles(ratio_draws(nats_n, chars_n, _counts(len(nats_n), draws))))


def ratio_draws(over_n: np.ndarray, under_n: np.ndarray, counts: Iterable[np.ndarray]) -> np.ndarray:
    """Return the ratio (sum of `over_n`) / (sum of `under_n`) of every draw: (D,).

    Args:
        counts: of `draw_counts`.
    """
    columns = np.column_stack([under_n, over_n]).astype(np.float64)
    sums_D2 = np.concatenate([times_Dn.astype(np.float64) @ columns for times_Dn in counts])
    ratios_D: np.ndarray = sums_D2[:, 1] / sums_D2[:, 0]
    return ratios_D


def draw_counts(n_titles: int, rng: np.random.Generator, draws: int = DRAWS) -> Iterator[np.ndarray]:
    """Yield how often each draw takes each title, some draws at a time: (up to D, n)."""
    for start in range(0, draws, _DRAWS_AT_ONCE):
        size = min(_DRAWS_AT_ONCE, draws - start)
        drawn = rng.integers(0, n_titles, size=(size, n_titles), dtype=np.int64)
        drawn += n_titles * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n_titles).reshape(size, n_titles)


@functools.lru_cache(maxsize=1)
def _counts(n_titles: int, draws: int) -> list[np.ndarray]:
    """The counts of BOOTSTRAP_SEED, kept for the next pair on as many titles: 100 MB for 10,000."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    return [times_Dn.astype(np.uint8) for times_Dn in draw_counts(n_titles, rng, draws)]


def percentiles(ratios_D: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval that leaves out as many draws on either side."""
    low, high = np.quantile(ratios_D, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def linear_intervals(nats_nK: np.ndarray, chars_n: np.ndarray, level: float = LEVEL) -> list[Interval | None]:
    """Return t intervals of K ratios by linearisation: cheap enough for many. None for fewer than two titles."""
    if len(chars_n) < 2:
        return [None] * nats_nK.shape[1]
    values_K = nats_nK.sum(axis=0) / chars_n.sum()
    half_K = _t_quantile(len(chars_n) - 1, level) * np.sqrt(_ratio_variance(nats_nK, chars_n))
    return [Interval(float(v - h), float(v + h)) for v, h in zip(values_K, half_K, strict=True)]


def mean_interval(values: np.ndarray | Sequence[float]) -> Interval | None:
    """Return the t interval of a mean; None for fewer than two values."""
    values_S = np.asarray(values, dtype=np.float64)
    if len(values_S) < 2:
        return None
    half = _t_quantile(len(values_S) - 1) * values_S.std(ddof=1) / math.sqrt(len(values_S))
    return Interval(float(values_S.mean() - half), float(values_S.mean() + half))


def sd_interval(values: Sequence[float]) -> Interval | None:
    """Return the chi-square interval of a standard deviation; None for fewer than two values."""
    df = len(values) - 1
    if df < 1:
        return None
    from scipy import stats  # half a second

    squares = df * float(np.var(values, ddof=1))
    low, high = stats.chi2.ppf([(1 + LEVEL) / 2, (1 - LEVEL) / 2], df)
    return Interval(math.sqrt(squares / low), math.sqrt(squares / high))


def _t_quantile(df: float, level: float = LEVEL) -> float:
    from scipy import stats  # half a second

    return float(stats.t.ppf((1 + level) / 2, df))


def _differences(first: Sequence[TitleLosses], second: Sequence[TitleLosses]) -> tuple[np.ndarray, np.ndarray]:
    if not first or len(first) != len(second):
        raise UserError(f"{len(first)} runs cannot be paired with {len(second)}; pair runs of equal seeds")
    chars_n = first[0].n_chars
    for losses in (*first, *second):
        if not np.array_equal(losses.n_chars, chars_n):
            raise UserError("these runs were validated on different titles, so their losses cannot be paired")
        if len(losses.nats) != len(chars_n):
            raise UserError(f"{len(losses.nats):,} losses for {len(chars_n):,} titles cannot be paired")
    columns = [b.nats - a.nats for a, b in zip(first, second, strict=True)]
    return chars_n, np.column_stack(columns)


def _ratio_variance(nats_nK: np.ndarray, chars_n: np.ndarray) -> np.ndarray:
    """Variance (K,) of ratios of sums over n independent titles, to first order."""
    n_titles, total = len(chars_n), chars_n.sum()
    residuals_nK = nats_nK - chars_n[:, None] * (nats_nK.sum(axis=0) / total)
    variance: np.ndarray = (residuals_nK**2).sum(axis=0) * n_titles / (n_titles - 1) / total**2
    return variance


def _both_interval(differences_nS: np.ndarray, chars_n: np.ndarray) -> Interval | None:
    n_titles, n_seeds = differences_nS.shape
    if n_seeds < 2 or n_titles < 2:
        return None
    total = chars_n.sum()
    per_seed_S = differences_nS.sum(axis=0) / total
    titles = float(_ratio_variance(differences_nS.mean(axis=1)[:, None], chars_n)[0])
    seeds = float(per_seed_S.var(ddof=1)) / n_seeds
    residuals_nS = differences_nS - chars_n[:, None] * per_seed_S
    interaction_nS = residuals_nS - residuals_nS.mean(axis=1, keepdims=True)
    shared = float((interaction_nS**2).sum()) / ((n_titles - 1) * (n_seeds - 1)) * n_titles / (n_seeds * total**2)
    variance = max(titles + seeds - shared, titles)  # an estimate of the seeds' own part may fall below 0
    mean = float(per_seed_S.mean())
    if variance == 0:
        return Interval(mean, mean)
    df = variance**2 / (titles**2 / (n_titles - 1) + seeds**2 / (n_seeds - 1))
    half = _t_quantile(df) * math.sqrt(variance)
    return Interval(mean - half, mean + half)
