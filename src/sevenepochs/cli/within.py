"""`train --within`: of the recipes with a published loss, the best one that this machine finishes in the time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from sevenepochs.cli.console import duration
from sevenepochs.comparison.work import training_flop
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.recipes.configs import unchanged
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.store.choosing import mean_exact, most_recipes, official_first
from sevenepochs.store.results import Result

_UNITS = {"m": 60.0, "min": 60.0, "h": 3600.0}
_OUT_OF_REACH = 2.0  # times the limit, by the arithmetic and the rate of the recipe that was estimated before


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
    counting = (
        r
        for r in unchanged(results)
        if r.is_clean and not r.is_proxy and r.facts.track == "single" and r.recipe in ours
    )
    seeds_of: dict[str, list[Result]] = {}
    for result in official_first(most_recipes(counting)):
        seeds_of.setdefault(result.recipe, []).append(result)
    if not seeds_of:
        raise UserError("--within goes by published full runs, and there are none; name their folder with --results")
    rate, too_slow = float("inf"), []
    least = min((training_flop(seeds[0]) or float("inf"), recipe) for recipe, seeds in seeds_of.items())
    for recipe, seeds in sorted(seeds_of.items(), key=lambda item: mean_exact(item[1])):
        flop = training_flop(seeds[0]) or 0.0
        if flop / rate > _OUT_OF_REACH * limit:
            continue
        seconds = seconds_of(recipe)
        if seconds > limit:
            rate = flop / seconds or rate
            too_slow.append(f"{recipe} up to {duration(seconds)}")
            continue
        loss = format_metric("exact_val_loss", mean_exact(seeds))
        of_those = f" of those that fit into {duration(limit)}" if too_slow else ""
        takes = f"; {', '.join(too_slow)}" if too_slow else ""
        on = f"{loss} on {seeds[0].titles_name}"
        return recipe, f"{recipe} takes up to {duration(seconds)} here; lowest published loss{of_those}: {on}{takes}"
    raise UserError(
        f"nothing with a published loss fits into {duration(limit)} here: {', '.join(too_slow)}; the least arithmetic "
        f"has {least[1]}, up to {duration(least[0] / rate)} at that rate"
    )
