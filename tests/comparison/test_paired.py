"""Paired differences: closed forms, coverage by simulation, and what must be refused."""

import math

import numpy as np
import pytest
from scipy import stats

from sevenepochs.comparison.paired import (
    Interval,
    linear_intervals,
    mean_interval,
    paired_difference,
    sd_interval,
    title_interval,
)
from sevenepochs.errors import UserError
from sevenepochs.store.title_losses import TitleLosses

SEED = 1337


def losses(nats: np.ndarray, n_chars: np.ndarray) -> TitleLosses:
    return TitleLosses(nats, n_chars)


def some_titles(n: int, seed: int = 0) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    chars = rng.integers(20, 86, n)
    return rng, chars, chars * rng.normal(1.2, 0.3, n)


def test_the_difference_is_the_difference_of_exact_losses() -> None:
    rng, chars, first = some_titles(500)
    second = first + rng.normal(-1, 4, 500)
    a, b = losses(first, chars), losses(second, chars)
    found = paired_difference([a], [b], [(SEED, SEED)], draws=200)
    assert found.value == pytest.approx(b.exact_val_loss - a.exact_val_loss, rel=1e-12)
    assert found.share_better == (second < first).mean()
    assert found.over_seeds is None and found.over_both is None and found.widest == found.over_titles


def test_the_title_interval_is_scipys_bootstrap_and_near_the_linear_one() -> None:
    rng, chars, _ = some_titles(400)
    nats = rng.normal(-1, 4, 400)
    ours = title_interval(nats, chars, draws=4000)
    theirs = stats.bootstrap(
        (nats, chars),
        lambda d, c, axis: d.sum(axis) / c.sum(axis),
        paired=True,
        n_resamples=4000,
        method="percentile",
        rng=5,
    ).confidence_interval
    [linear] = linear_intervals(nats[:, None], chars)
    assert ours is not None and linear is not None
    width = ours.high - ours.low
    for other in ((theirs.low, theirs.high), linear):
        assert ours == pytest.approx(other, abs=0.06 * width)


def test_kinds_of_few_titles_have_wide_intervals() -> None:
    """Of five titles, too, the interval holds the true ratio as often as it says, also at a Bonferroni level."""
    rng, level = np.random.default_rng(3), 0.99
    held = 0
    for _ in range(2000):
        [found] = linear_intervals(rng.normal(0, 1, (5, 1)), np.full(5, 40.0), level)
        assert found is not None
        held += found.low <= 0 <= found.high
    assert 0.98 <= held / 2000 <= 1.0  # the normal quantile held 0.96


def test_the_same_data_give_the_same_interval() -> None:
    rng, chars, first = some_titles(100)
    pair = ([losses(first, chars)], [losses(first + rng.normal(0, 1, 100), chars)], [(SEED, SEED)])
    assert paired_difference(*pair, draws=300) == paired_difference(*pair, draws=300)


def test_many_ratios_at_once_equal_one_at_a_time() -> None:
    rng, chars, _ = some_titles(60)
    nats = rng.normal(0, 2, (60, 3))
    together = linear_intervals(nats, chars)
    for k in range(3):
        [alone] = linear_intervals(nats[:, k : k + 1], chars)
        assert alone == pytest.approx(together[k], rel=1e-12)


def test_equal_runs_have_no_difference_and_no_width() -> None:
    _, chars, nats = some_titles(50)
    found = paired_difference(
        [losses(nats, chars)] * 3, [losses(nats, chars)] * 3, [(s, s) for s in range(3)], draws=50
    )
    assert found.value == 0 and found.identical
    assert found.over_titles == found.over_seeds == found.over_both == Interval(0.0, 0.0)


def test_a_constant_change_per_character_has_no_width() -> None:
    _, chars, nats = some_titles(50)
    found = paired_difference([losses(nats, chars)], [losses(nats + 0.25 * chars, chars)], [(SEED, SEED)], draws=50)
    assert found.over_titles == pytest.approx((0.25, 0.25), abs=1e-12)
    assert not found.identical


def test_one_title_has_no_interval() -> None:
    one = losses(np.array([50.0]), np.array([55]))
    other = losses(np.array([40.0]), np.array([55]))
    found = paired_difference([one], [other], [(SEED, SEED)])
    assert found.value == pytest.approx(-10 / 55) and found.over_titles is None and found.widest is None


def test_wrong_pairings_are_refused() -> None:
    _, chars, nats = some_titles(20)
    a = losses(nats, chars)
    with pytest.raises(UserError, match="different titles"):
        paired_difference([a], [losses(nats[:-1], chars[:-1])], [(SEED, SEED)])
    with pytest.raises(UserError, match="different titles"):
        paired_difference([a], [losses(nats, chars[::-1].copy())], [(SEED, SEED)])
    with pytest.raises(UserError, match="cannot be paired"):
        paired_difference([a, a], [a], [(SEED, SEED)])
    with pytest.raises(UserError, match="cannot be paired"):
        paired_difference([], [], [])
    with pytest.raises(UserError, match="21 losses for 20 titles"):
        paired_difference([a], [losses(np.append(nats, 1.0), chars)], [(SEED, SEED)])


def test_over_seeds_is_the_t_interval_of_the_pairs() -> None:
    _, chars, nats = some_titles(30)
    shifts = [0.01, 0.02, 0.06]
    second = [losses(nats + shift * chars, chars) for shift in shifts]
    found = paired_difference([losses(nats, chars)] * 3, second, [(s, s) for s in range(3)], draws=50)
    assert found.per_seed == pytest.approx(shifts)
    half = 4.302652729911275 * np.std(shifts, ddof=1) / math.sqrt(3)  # t quantile of 2 degrees of freedom, from a table
    assert found.over_seeds == pytest.approx((0.03 - half, 0.03 + half), rel=1e-9)
    # every title moves alike here, so the seeds are all there is
    assert found.over_both == pytest.approx(found.over_seeds, rel=1e-9)
    assert mean_interval([0.1]) is None


def test_over_both_adds_titles_to_seeds() -> None:
    rng, chars, nats = some_titles(2000)
    noise = rng.normal(0, 4, 2000)
    second = [losses(nats + noise + shift * chars, chars) for shift in (-0.0001, 0.0, 0.0001)]
    found = paired_difference([losses(nats, chars)] * 3, second, [(s, s) for s in range(3)], draws=2000)
    assert found.over_titles is not None and found.over_seeds is not None and found.over_both is not None
    assert found.over_both.half_width == pytest.approx(found.over_titles.half_width, rel=0.05)
    assert found.over_seeds.half_width < 0.3 * found.over_both.half_width


def test_the_interval_of_a_standard_deviation_is_the_textbooks() -> None:
    # n = 10, s = 2: 9 * 4 / 19.0228 and 9 * 4 / 2.70039 under the chi-square distribution of 9 degrees of freedom
    values = np.array([-1.0, 1.0] * 5) * 2 / math.sqrt(10 / 9)
    assert np.std(values, ddof=1) == pytest.approx(2)
    assert sd_interval(list(values)) == pytest.approx((math.sqrt(36 / 19.0228), math.sqrt(36 / 2.70039)), rel=1e-4)
    assert sd_interval([1.0]) is None and sd_interval([3.0, 3.0]) == (0.0, 0.0)


def covered(n_pairs: int, n_titles: int, n_seeds: int, *, title_sd: float, seed_sd: float, rest_sd: float) -> float:
    """Share of simulated comparisons whose widest interval holds the true difference of 0.02 nats per character."""
    rng = np.random.default_rng(n_pairs + n_titles + n_seeds)
    hits = 0
    for _ in range(n_pairs):
        chars = rng.integers(20, 86, n_titles)
        zeros = [losses(np.zeros(n_titles), chars)] * n_seeds
        common = 0.02 * chars + rng.normal(0, title_sd, n_titles)
        second = [
            losses(common + rng.normal(0, seed_sd) * chars + rng.normal(0, rest_sd, n_titles), chars)
            for _ in range(n_seeds)
        ]
        interval = paired_difference(zeros, second, [(s, s) for s in range(n_seeds)], draws=500).widest
        assert interval is not None
        hits += interval.low <= 0.02 <= interval.high
    return hits / n_pairs


def test_a_nominal_95_percent_covers_over_titles() -> None:
    assert 0.93 <= covered(600, 150, 1, title_sd=4, seed_sd=0, rest_sd=0) <= 0.97


@pytest.mark.parametrize(
    ("title_sd", "seed_sd", "rest_sd"), [(0.3, 0.02, 0.3), (4.0, 0.001, 0.5)], ids=["seeds rule", "titles rule"]
)
def test_a_nominal_95_percent_covers_over_titles_and_seeds(title_sd: float, seed_sd: float, rest_sd: float) -> None:
    assert 0.93 <= covered(500, 120, 3, title_sd=title_sd, seed_sd=seed_sd, rest_sd=rest_sd) <= 0.97


@pytest.mark.long
@pytest.mark.parametrize("n_seeds", [1, 2, 3, 5])
@pytest.mark.parametrize(("title_sd", "rest_sd"), [(4.0, 0.5), (2.0, 2.0), (0.3, 0.3)])
@pytest.mark.parametrize("seed_sd", [0.0, 0.002, 0.02])
def test_coverage_in_many_settings(n_seeds: int, title_sd: float, rest_sd: float, seed_sd: float) -> None:
    """Where seeds and titles weigh alike, Satterthwaite's degrees of freedom and the cut at 0 are only approximate:
    the interval is then a little too narrow or too wide; more so with two seeds, from which no claim is made
    (docs/comparing.md). One seed says nothing about seeds."""
    if n_seeds == 1 and seed_sd > 0:
        pytest.skip("one seed cannot cover seeds, and the verdict says so")
    share = covered(2000, 300, n_seeds, title_sd=title_sd, seed_sd=seed_sd, rest_sd=rest_sd)
    assert (0.85 if n_seeds == 2 else 0.91) <= share <= 0.99
