"""`train --within`: of the recipes with a published loss, the best one that this machine finishes in the time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

from sevenepochs.cli.console import duration
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.recipes.configs import unchanged
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.store.choosing import mean_exact, most_recipes, official_first
from sevenepochs.store.results import Result

_UNITS = {"m": 60.0, "min": 60.0, "h": 3600.0}
_OUT_OF_REACH = 2.0  # times the limit, by the FLOPs and the rate of the recipe that was estimated before


def seconds_in(text: str) -> float:
    """Return the seconds of "30m", "90 min" or "1.5h". Raises UserError: anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(m|min|h)", text.strip())
    if found is None or not float(found[1]):
        raise UserError(f"--within {text!r}: write minutes or hours, e.g. 30m or 1.5h")
    return float(found[1]) * _UNITS[found[2]]


def choose(limit: float, results: Iterable[Result], seconds_of: Callable[[str], float]) -> tuple[str, str]:
    """Return the recipe with the lowest mean exact loss that takes at most `limit` seconds, and one line that says why.

    Recipes count by their clean published full runs, on the titles that most recipes were run on.

    Args:
        seconds_of: how long a recipe takes on this machine, at most.

    Raises:
        UserError: no published results, or none of a recipe that is quick enough.
    """
    ours = {recipe.name for recipe in list_recipes()}
    full = (one for one in unchanged(results) if one.is_clean and not one.is_proxy and one.facts.track == "single")
    seeds_of: dict[str, list[Result]] = {}
    for result in official_first(most_recipes(one for one in full if one.recipe in ours)):
        seeds_of.setdefault(result.recipe, []).append(result)
    if not seeds_of:
        raise UserError("--within goes by published full runs, and there are none; name their folder with --results")
    seconds: dict[str, float] = {}
    rate, better = math.inf, ""
    for recipe, seeds in sorted(seeds_of.items(), key=lambda item: mean_exact(item[1])):
        flop = seeds[0].facts.training_flop or 0.0
        seconds[recipe] = flop / rate
        if seconds[recipe] > _OUT_OF_REACH * limit:
            continue
        seconds[recipe] = seconds_of(recipe)
        takes = f"up to {duration(seconds[recipe])}"
        if seconds[recipe] <= limit:
            loss = f"{format_metric('exact_val_loss', mean_exact(seeds))} on {seeds[0].titles_name}"
            of_those = f" that fits into {duration(limit)}" if better else ""
            return recipe, f"{recipe} takes {takes} here; lowest published loss{of_those}: {loss}{better}"
        rate = flop / seconds[recipe] or rate
        better = better or f"; {recipe} would take {takes}"
    quickest = min(seconds, key=seconds.__getitem__)
    minutes = math.ceil(seconds[quickest] / 60)
    raise UserError(
        f"no recipe with a published loss fits into {duration(limit)} here; the quickest is {quickest}: "
        f"--within {minutes}m"
    )
