"""The ladder: recipes in order, each with its measured effect against the one before; and whether the proxy ranks
recipes as full size does, counted on those that were run at both scales. No torch.

Full runs and proxy runs, and runs on different titles, never stand in one ladder.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sevenepochs.comparison.compare import Group, Pair, by_recipe, pair_groups
from sevenepochs.comparison.noise import SeedNoise
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import OFFICIAL_SEED
from sevenepochs.store.choosing import by_titles, mean_exact, plain_config
from sevenepochs.store.results import Result
from sevenepochs.store.run.layout import PROXY_SUFFIX
from sevenepochs.store.title_losses import TitleLosses

TRUSTED_BELOW = 0.05  # p value; of fewer than five recipes even perfect agreement stays above it


@dataclass(frozen=True)
class Rung:
    """One recipe of the ladder.

    Attributes:
        recipe: its name, without the proxy's suffix.
        results: one per seed; empty where it has not been run.
        ratio: mean exact loss over the first rung's.
        pair: against the nearest earlier rung that has been run; None for the first, or where they cannot be paired.
        unpaired: why not, in words; "" otherwise.
    """

    recipe: str
    results: tuple[Result, ...] = ()
    ratio: float | None = None
    pair: Pair | None = None
    unpaired: str = "not run yet"

    @property
    def mean(self) -> float | None:
        """Mean exact loss over seeds."""
        return mean_exact(self.results) if self.results else None

    @property
    def sd(self) -> float | None:
        """Standard deviation of the exact loss over seeds; None for fewer than two."""
        return float(np.std([one.exact for one in self.results], ddof=1)) if len(self.results) > 1 else None


def ladder(
    recipes: Sequence[str],
    results: Iterable[Result],
    losses_of: Callable[[Result], TitleLosses],
    noises: Iterable[SeedNoise] = (),
) -> list[Rung]:
    """Return the rungs of these recipes, from results on one set of titles.

    Args:
        results: any order; those of other recipes are passed over. Where one of these has several configurations, the
            one run with the official seed is taken, and of several such the newest.

    Raises:
        UserError: results on several sets of titles.
    """
    noises = list(noises)
    chosen = [result for result in results if result.plain_recipe in recipes]
    if len(by_titles(chosen)) > 1:
        raise UserError("a ladder needs runs on one set of titles; these are on several")
    groups = _by_name(chosen)
    there = [groups[name] for name in recipes if name in groups]
    rungs: dict[str, Rung] = {}
    for before, here in zip([None, *there], there, strict=False):
        pair, unpaired = None, ""
        if before is not None:
            try:
                pair = pair_groups(before, here, losses_of, noises)
            except UserError as error:
                unpaired = str(error)
        ratio = mean_exact(here.results) / mean_exact(there[0].results)
        rungs[here.name] = Rung(here.name, here.results, ratio, pair, unpaired)
    return [rungs.get(name, Rung(name)) for name in recipes]


def ladders(
    recipes: Sequence[str],
    results: Iterable[Result],
    losses_of: Callable[[Result], TitleLosses],
    noises: Iterable[SeedNoise] = (),
) -> dict[str, list[Rung]]:
    """Return the `ladder` of every set of titles with a result, by the titles' hash: full runs first, then proxies."""
    noises = list(noises)
    of_titles = by_titles(sorted(results, key=lambda r: (r.is_proxy, r.corpus.name)))
    return {titles: ladder(recipes, some, losses_of, noises) for titles, some in of_titles.items()}


def published_losses(result: Result) -> TitleLosses:
    """Return a published result's losses by title; raises UserError where it has none, or they are damaged."""
    losses = result.title_losses()
    if losses is None:
        raise UserError("losses by title not published")
    return losses


def mean_losses(results: Iterable[Result]) -> dict[str, float]:
    """Return the mean exact loss over seeds by `Result.plain_recipe`, nats per character; of several configurations of
    a recipe one counts, as in `ladder`."""
    return {name: mean_exact(group.results) for name, group in _by_name(results).items()}


def _by_name(results: Iterable[Result]) -> dict[str, Group]:
    """One group per plain recipe name. Where a name has several configurations, the one run with the official seed is
    taken, and of several such the newest."""
    found: dict[str, Group] = {}
    for group in by_recipe(results):
        name = group.results[0].plain_recipe
        named = Group(name, group.results)
        found[name] = max(found.get(name, named), named, key=_standing)
    return found


def _standing(group: Group) -> tuple[bool, str]:
    official = [result for result in group.results if result.seed == OFFICIAL_SEED]
    return bool(official), max(result.created_utc for result in official or group.results)


class RankedPair(NamedTuple):
    """Second recipe minus first at either scale, nats per character."""

    first: str
    second: str
    full: float
    proxy: float

    @property
    def agrees(self) -> bool:
        return self.full * self.proxy > 0


@dataclass(frozen=True)
class ProxyCheck:
    """`kendall_tau` and its exact two-sided p value over all recipes; None for fewer than two (p: three) recipes."""

    recipes: tuple[str, ...]
    pairs: tuple[RankedPair, ...]
    kendall_tau: float | None
    p_value: float | None

    @property
    def n_agreeing(self) -> int:
        return sum(pair.agrees for pair in self.pairs)

    @property
    def words(self) -> str:
        """One line that claims no more than the pairs show."""
        if not self.pairs:
            return "the proxy's ranking is unchecked: no two recipes have been run at both scales"
        facts = [f"{len(self.recipes)} recipes"]
        if self.kendall_tau is not None:
            facts.append(f"Kendall's tau {self.kendall_tau:.2f}")
        if self.p_value is not None:
            p = f"= {self.p_value:.2f}" if self.p_value >= 0.01 else "< 0.01"
            facts.append(f"p {p} if scales had nothing in common")
        pairs = f"{self.n_agreeing} of {len(self.pairs)} pairs"
        text = f"the proxy orders {pairs} as full size does ({', '.join(facts)})"
        if self.p_value is None or self.p_value >= TRUSTED_BELOW:
            text += f"; {len(self.recipes)} recipes cannot show that it can be trusted"
        return text


def proxy_check(full: Mapping[str, float], proxy: Mapping[str, float]) -> ProxyCheck:
    """Compare mean exact losses by recipe name, nats per character; recipes at one scale only are left out."""
    recipes = tuple(name for name in full if name in proxy)
    pairs = tuple(
        RankedPair(a, b, full[b] - full[a], proxy[b] - proxy[a]) for a, b in itertools.combinations(recipes, 2)
    )
    tau = p_value = None
    if len(recipes) >= 2:
        from scipy import stats  # half a second

        found = stats.kendalltau([full[name] for name in recipes], [proxy[name] for name in recipes])
        tau = float(found.statistic) if math.isfinite(found.statistic) else None
        p_value = float(found.pvalue) if len(recipes) >= 3 and tau is not None else None
    return ProxyCheck(recipes, pairs, tau, p_value)


def proxy_checks(results: Iterable[Result]) -> dict[str, ProxyCheck]:
    """Return a check per corpus on which two recipes or more were run at both scales. A proxy counts only where it
    differs from its recipe's full runs in nothing but scale."""
    of_corpus: dict[tuple[str, str], tuple[list[Result], list[Result]]] = {}
    for result in results:
        if result.facts.track == "single":  # the others are never ranked with it
            of_corpus.setdefault(full_corpus(result), ([], []))[result.is_proxy].append(result)
    checks = {}
    for (name, _), (full, proxies) in sorted(of_corpus.items()):
        kept = {recipe: _settings(group.results[0]) for recipe, group in _by_name(full).items()}
        alike = [result for result in proxies if kept.get(result.plain_recipe) == _settings(result)]
        checks[name] = proxy_check(mean_losses(full), mean_losses(alike))
    return {name: check for name, check in checks.items() if check.pairs}


def _settings(result: Result) -> dict[str, Any]:
    """The settings that a recipe's runs share at both scales."""
    config = plain_config(result.config)
    del config["model"]["d_model"], config["model"]["n_head"], config["batches"]["batch_size"]  # the proxy's own
    return config


def full_corpus(result: Result) -> tuple[str, str]:
    """Return name and file hash of the corpus that a result's titles are of, at either scale."""
    return result.corpus.name.removesuffix(PROXY_SUFFIX), str(result.corpus.file_sha256)
