"""What each technique gives on top of the record's recipe, at proxy scale. No torch."""

from __future__ import annotations

from collections.abc import Iterable

from sevenepochs.comparison.compare import Group, by_recipe, pair_groups
from sevenepochs.comparison.ladder import Rung, published_losses
from sevenepochs.comparison.noise import SeedNoise
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.recipes.configs import called, recipe_changes
from sevenepochs.recipes.listing import chain, list_recipes
from sevenepochs.report.ladder_table import HEAD, rows
from sevenepochs.report.markers import wrapped
from sevenepochs.report.tables import table
from sevenepochs.store.results import Result
from sevenepochs.store.run.layout import PROXY_SUFFIX

BASE = "laptop_letters"
_COLUMNS = ("recipe", "n", "exact", "sd", "effect", "in stock rows", "verdict")


def techniques_section(results: Iterable[Result], noises: Iterable[SeedNoise] = ()) -> str:
    """Return one row per recipe that is made of `BASE`, and per run of it with changed settings: each against `BASE` at
    proxy scale, seed by seed, lowest loss first; "" without a result of one of them.

    Args:
        noises: those of `BASE` judge single seeds: a technique's own is rarely known.
    """
    ours = {recipe.name for recipe in list_recipes()}
    singles = (r for r in results if r.is_proxy and r.facts.track == "single" and r.plain_recipe in ours)
    proxies = [r for r in singles if BASE in chain(r.plain_recipe)]
    named = [Group(called(group.results[0]).replace(PROXY_SUFFIX, ""), group.results) for group in by_recipe(proxies)]
    base = next((group for group in named if group.name == BASE), None)
    if base is None or recipe_changes(base.results[0]):
        return ""
    own_noises = [noise for noise in noises if noise.recipe == base.results[0].recipe]
    rungs = [_rung(base, group, own_noises) for group in named if group is not base]
    if not rungs:
        return ""
    rungs.sort(key=lambda rung: rung.mean or 0.0)
    head = f"`{BASE}` at proxy scale has {format_metric('exact_val_loss', Rung(BASE, base.results).mean)}, mean of "
    head += f"{len(base.results)} seeds. On top of it:"
    chosen = [HEAD.index(name) for name in _COLUMNS]
    cells = [[row[place] for place in chosen] for row in rows(rungs)]
    return f"{wrapped(head)}\n\n{table(list(_COLUMNS), [[f'`{first}`', *rest] for first, *rest in cells])}"


def _rung(base: Group, group: Group, noises: Iterable[SeedNoise]) -> Rung:
    try:
        return Rung(group.name, group.results, None, pair_groups(base, group, published_losses, noises), "")
    except UserError as error:
        return Rung(group.name, group.results, unpaired=str(error))
