"""The ladder: recipes in order, each with its measured effect against the one before. No torch.

Full runs and proxy runs, and runs on different titles, never stand in one ladder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sevenepochs.comparison.compare import Group, Pair, by_name, pair_groups
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
        results: one a seed; empty where it has not been run.
        mean, sd: of the exact loss over seeds; sd is None for fewer than two.
        ratio: mean over the first rung's.
        pair: against the nearest earlier rung that has been run; None for the first, or where they cannot be paired.
        unpaired: why not, in words; "" otherwise.
    """

    recipe: str
    results: tuple[Result, ...]
    mean: float | None
    sd: float | None
    ratio: float | None
    pair: Pair | None
    unpaired: str


def ladder(
    recipes: Sequence[str],
    results: Iterable[Result],
    losses_of: Callable[[Result], TitleLosses],
    noises: Iterable[SeedNoise] = (),
) -> list[Rung]:
    """The rungs of these recipes, from results on one set of titles.

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
    rungs: list[Rung] = []
    first_mean: float | None = None
    before: Group | None = None
    for name in recipes:
        here = groups.get(name)
        if here is None:
            rungs.append(Rung(name, (), None, None, None, None, "not run yet"))
            continue
        mean = mean_exact(here.results)
        first_mean = mean if first_mean is None else first_mean
        pair, unpaired = None, ""
        if before is not None:
            try:
                pair = pair_groups(before, here, losses_of, noises)
            except UserError as error:
                unpaired = str(error)
        sd = float(np.std([one.exact for one in here.results], ddof=1)) if len(here.results) > 1 else None
        rungs.append(Rung(name, here.results, mean, sd, mean / first_mean, pair, unpaired))
        before = here
    return rungs


def ladders(
    recipes: Sequence[str],
    results: Iterable[Result],
    losses_of: Callable[[Result], TitleLosses],
    noises: Iterable[SeedNoise] = (),
) -> dict[str, list[Rung]]:
    """The ladder of every set of titles with a result, by the titles' hash: full runs first, then proxies.

    Args and errors as for `ladder`.
    """
    noises = list(noises)
    of_titles = by_titles(sorted(results, key=lambda r: (r.is_proxy, r.corpus.name)))
    return {titles: ladder(recipes, some, losses_of, noises) for titles, some in of_titles.items()}


def published_losses(result: Result) -> TitleLosses:
    """A `losses_of` for published results.

    Raises:
        UserError: it was published without them, or they are damaged.
    """
    losses = result.title_losses()
    if losses is None:
        raise UserError("losses by title not published")
    return losses


def mean_losses(results: Iterable[Result]) -> dict[str, float]:
    """Mean exact loss over seeds by recipe, nats per character; the proxy's suffix is left out of the name, and of
    several configurations of a recipe one counts (`compare.by_name`)."""
    return {name: mean_exact(group.results) for name, group in by_name(results, plain_name).items()}


def plain_name(result: Result) -> str:
    """The recipe's name, also of a run at proxy scale."""
    return result.recipe.removesuffix(PROXY_SUFFIX)
