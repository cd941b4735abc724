"""Does the proxy rank recipes as full size does? Counted on the recipes that were run at both scales. No torch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from scipy import stats

from sevenepochs.comparison.compare import by_name
from sevenepochs.comparison.ladder import mean_losses, plain_name
from sevenepochs.store.choosing import recipe_config
from sevenepochs.store.results import Result
from sevenepochs.store.run.layout import PROXY_SUFFIX

TRUSTED_BELOW = 0.05  # p value; of fewer than five recipes even perfect agreement stays above it


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
        found = stats.kendalltau([full[name] for name in recipes], [proxy[name] for name in recipes])
        tau = float(found.statistic) if math.isfinite(found.statistic) else None
        p_value = float(found.pvalue) if len(recipes) >= 3 and tau is not None else None
    return ProxyCheck(recipes, pairs, tau, p_value)


def proxy_checks(results: Iterable[Result]) -> dict[str, ProxyCheck]:
    """Return a check per corpus on which two recipes or more were run at both scales. A proxy counts only where it
    differs from its recipe's full runs in nothing but scale."""
    of_corpus: dict[tuple[str, str], tuple[list[Result], list[Result]]] = {}
    for result in results:
        of_corpus.setdefault(full_corpus(result), ([], []))[result.is_proxy].append(result)
    checks = {}
    for (name, _), (full, proxies) in sorted(of_corpus.items()):
        kept = {recipe: _settings(group.results[0]) for recipe, group in by_name(full, plain_name).items()}
        alike = [result for result in proxies if kept.get(plain_name(result)) == _settings(result)]
        checks[name] = proxy_check(mean_losses(full), mean_losses(alike))
    return {name: check for name, check in checks.items() if check.pairs}


def _settings(result: Result) -> dict[str, Any]:
    """The settings that a recipe's runs share at both scales."""
    config = recipe_config(result)
    del config["model"]["d_model"], config["model"]["n_head"], config["batches"]["batch_size"]  # the proxy's own
    return config


def full_corpus(result: Result) -> tuple[str, str]:
    """Return name and file hash of the corpus that a result's titles are of, at either scale."""
    return result.corpus.name.removesuffix(PROXY_SUFFIX), str(result.corpus.file_sha256)
