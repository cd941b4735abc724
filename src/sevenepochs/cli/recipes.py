"""`list` and `show`."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import TYPE_CHECKING

from sevenepochs.cli.console import console, duration, note, print_json
from sevenepochs.cli.options import Changes, Json, Positional, Recipe, Titles, experiment_from
from sevenepochs.errors import UserError
from sevenepochs.questions.terminal import table
from sevenepochs.recipes import RECORD_RECIPE, listing
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.report.config_diff import config_diff

if TYPE_CHECKING:
    from sevenepochs.experiment import Experiment

# Files of recipes/ -> the heading above their recipes. A record of our own stands on the ladder already.
_SHOWN = {
    "story": "The story, step by step",
    "ladder": "The ladder: baseline, adamw, then each recipe with one change",
    "records": "The best public recipe",
}
_REST = {"trials": "Trials, beside the ladder", "demo": "For the embedded corpus"}


def list_recipes(all: bool = False, json: Json = False) -> None:
    """List the recipes: the story, the ladder and the records.

    Args:
        all: Also list the trials beside the ladder and the demo.
    """
    headings = _SHOWN | _REST if all else _SHOWN
    found = listing.list_recipes()
    shown = [recipe for recipe in found if recipe.module in headings]
    if json:
        print_json([dataclasses.asdict(recipe) for recipe in shown])
        return
    listed = table(("recipe", "what"))
    module = ""
    for recipe in shown:
        if recipe.module != module:
            module = recipe.module
            listed.add_row()
            listed.add_row("", headings[module], style="bold")
        listed.add_row(recipe.name + " *" * (recipe.name == RECORD_RECIPE), recipe.summary)
    console.print(listed)
    about = "`sevenepochs show RECIPE` prints a recipe as Python."
    console.print(f"\n* the record recipe, which `python train.py` runs. {about}", style="dim")
    if not all:
        console.print(f"{len(found) - len(shown)} more with `sevenepochs list --all`", style="dim")


def show(
    recipe: Positional[Recipe], *, titles: Titles, changes: Changes, chain: bool = False, json: Json = False
) -> None:
    """Show a recipe as Python that runs from a file of yours, its parameters, steps, FLOPs, and the time it takes here.

    Steps are counted on the titles of --corpus, or on the recipe's own where they are on this machine.

    Args:
        chain: Show the recipes that lead to this one and what each changes, instead of the Python.
    """
    from sevenepochs.recipes.source import as_python
    from sevenepochs.training.estimate import estimate

    if chain and ".py" in recipe:
        raise UserError(f"--chain follows the package's own recipes (sevenepochs list --all); {recipe} is a file's")
    experiment = experiment_from(recipe, titles, changes.as_settings(), changes.seed)
    rungs = _rungs(recipe, experiment) if chain else []
    cost = estimate(experiment, may_download=titles.corpus is not None, announce=note)
    if json:
        shown = {"chain": [{"recipe": name, "changes": diff.splitlines()} for name, diff in rungs]} if chain else {}
        print_json({"config": experiment.to_dict(), **cost, **shown})
        return
    docstrings = {listed.name: listed.docstring for listed in listing.list_recipes()}
    for name, diff in rungs:
        summary = docstrings.get(name, "").partition("\n")[0]
        console.print(f"{name}: {summary}" if summary else name, markup=False, style="bold")
        console.print("".join(f"    {line}\n" for line in diff.splitlines()), markup=False, soft_wrap=True)
    if not chain:
        if recipe in docstrings:
            console.print(docstrings[recipe] + "\n", markup=False)
        # not wrapped: a line that the terminal breaks is still one line when it is copied
        console.print(as_python(experiment, recipe.rpartition(":")[2]), markup=False, soft_wrap=True)
    known = cost["parameters"] is not None  # else the embedding depends on the vocabulary that the corpus makes
    if known:
        console.print(f"parameters        {cost['parameters']:,}")
    console.print(f"tokens a step     {cost['tokens_per_step']:,}")
    if cost["n_steps"] is None:
        if known:
            console.print(f"FLOPs a step      {cost['flop_per_step']:.3g}")
        console.print(f"{'steps, time' if known else 'parameters, time':18}known once the corpus is here:")
        console.print(" " * 18 + "add --corpus PATH, or hub (a download of 426 MB)")
        return
    console.print(f"steps             {cost['n_steps']:,} ({cost['steps_source']})")
    console.print(f"FLOPs             {cost['training_flop']:.3g} for training, {cost['flop_per_step']:.3g} a step")
    low, high = map(duration, cost["seconds_range"])
    console.print(f"time here         about {duration(cost['seconds'])}, {low} to {high} ({cost['time_source']})")


def _rungs(recipe: str, experiment: Experiment) -> list[tuple[str, str]]:
    """The recipes that one is derived from, each with its change as a config diff; the command line's changes last."""
    names = listing.chain(recipe)
    configs = [load_recipe(name).to_dict() for name in names]
    diffs = ["", *(config_diff(before, after) for before, after in pairwise(configs))]
    changed = config_diff(configs[-1], experiment.to_dict())
    return [*zip(names, diffs, strict=True), *([("your changes", changed)] if changed else [])]
