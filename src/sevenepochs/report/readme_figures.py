"""The README's figures from results/. No torch.

Loss curves of the story's and the record recipes: full runs, on the titles that most recipes were run on. The ladder:
the one with most rungs, at either scale.
"""

from __future__ import annotations

import csv
from pathlib import Path

from sevenepochs.comparison.ladder import Rung
from sevenepochs.errors import UserError
from sevenepochs.questions.figures import curves as curves_plot
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.recipes.configs import called
from sevenepochs.recipes.listing import BEST, LADDER, PUBLIC_BEST
from sevenepochs.report.ladder_section import figure as ladder_figure
from sevenepochs.report.ladder_section import longest
from sevenepochs.store.choosing import most_recipes, official_first
from sevenepochs.store.results import Result

CURVES, LADDER_FIGURE = "loss_curves.svg", "ladder.svg"
_SHOWN_FIRST = tuple(dict.fromkeys(("baseline", "adamw", "rope", RECORD_RECIPE, PUBLIC_BEST, BEST)))
_MOST_CURVES = 6


def figures(results: list[Result], rungs_of: dict[str, list[Rung]]) -> dict[str, str]:
    """SVG texts by file name; without a full result there are no curves, without two rungs no ladder.

    Args:
        rungs_of: the ladder of each set of titles, by the titles' hash.

    Raises:
        UserError: matplotlib is not installed, or a curve.csv is damaged.
    """
    found = {}
    if chosen := most_recipes(result for result in results if not result.is_proxy):
        found[CURVES] = curves_plot.figure(
            {label: _curve(result) for label, result in _shown(chosen).items()},
            title=f"Exact validation loss, {chosen[0].titles_name}",
        )
    if rungs := longest(rungs_of):
        found[LADDER_FIGURE] = ladder_figure(rungs)
    return found


def _shown(results: list[Result]) -> dict[str, Result]:
    """One result a recipe, the official seed's where it was run; the story's and the record recipes before
    others, which come from the ladder's top down."""
    by_recipe: dict[str, Result] = {}
    for result in official_first(results):
        by_recipe.setdefault(called(result), result)
    order = [*_SHOWN_FIRST, *(name for name in reversed(LADDER) if name not in _SHOWN_FIRST)]
    names = [name for name in order if name in by_recipe][:_MOST_CURVES]
    if not names:
        names = sorted(by_recipe, key=lambda name: by_recipe[name].exact)[:_MOST_CURVES]
    return {name: by_recipe[name] for name in names}


def _curve(result: Result) -> list[dict[str, str]]:
    assert result.path is not None, "published results have a folder"
    file: Path = result.path / "curve.csv"
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            return [row for row in csv.DictReader(stream) if row["event"] == "evaluation"]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({error}); publish the run again") from None
