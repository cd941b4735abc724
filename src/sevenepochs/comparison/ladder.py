"""The ladder: recipes in order, each with its measured effect against the one before. No torch.

Full runs and proxy runs, and runs on different titles, never stand in one ladder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sevenepochs.comparison.compare import Pair, by_name, pair_groups
from sevenepochs.comparison.noise import SeedNoise
from sevenepochs.errors import UserError
from sevenepochs.store.choosing import by_titles, mean_exact
from sevenepochs.store.results import Result
from sevenepochs.store.run.layout import PROXY_SUFFIX
from sevenepochs.store.title_losses import TitleLosses


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
        results: any order; those of other recipes are passed over, and so are other configurations of one of these
            (`compare.by_name`).

    Raises:
        UserError: results on several sets of titles.
    """
    noises = list(noises)
    chosen = [result for result in results if plain_name(result) in recipes]
    if len(by_titles(chosen)) > 1:
        raise UserError("a ladder needs runs on one set of titles; these are on several")
    groups = by_name(chosen, plain_name)
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
    """Return a published result's losses by title, as `losses_of` of a ladder.

    Raises:
        UserError: it was published without them, or they are damaged.
    """
    losses = result.title_losses()
    if losses is None:
        raise UserError("losses by title not published")
    return losses


def mean_losses(results: Iterable[Result]) -> dict[str, float]:
    """Return the mean exact loss over seeds by `plain_name`, nats per character; of several configurations of a recipe
    one counts (`compare.by_name`)."""
    return {name: mean_exact(group.results) for name, group in by_name(results, plain_name).items()}


def plain_name(result: Result) -> str:
    """Return the recipe's name without the proxy's suffix."""
    return result.recipe.removesuffix(PROXY_SUFFIX)
