"""`show`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Changes, Json, Positional, Recipe, Titles
from sevenepochs.errors import UserError

if TYPE_CHECKING:
    from sevenepochs.experiment import Experiment


def show(
    recipe: Positional[Recipe],
    *,
    titles: Titles,
    changes: Changes,
    chain: bool = False,
    json: Json = False,
) -> None:
    """Show a recipe as Python that runs from a file of yours, its parameters, steps, FLOPs, and the time it takes here.

    Steps are counted on the titles of --corpus, or on the recipe's own where they are on this machine.

    Args:
        chain: Show the recipes that lead to this one and what each changes, instead of the Python.
    """
    from sevenepochs.cli.console import console, duration, errors
    from sevenepochs.cli.options import experiment_from
    from sevenepochs.recipes.listing import list_recipes
    from sevenepochs.recipes.source import as_python
    from sevenepochs.training.estimate import estimate

    if chain and ".py" in recipe:
        raise UserError(f"--chain follows the package's own recipes (sevenepochs list --all); {recipe} is a file's")
    experiment = experiment_from(recipe, titles, changes.settings, changes.seed)
    rungs = _rungs(recipe, experiment) if chain else []
    cost = estimate(
        experiment, may_download=titles.corpus is not None, announce=lambda text: errors.print(text, style="dim")
    )
    if json:
        shown = {"chain": [{"recipe": name, "changes": diff.splitlines()} for name, diff in rungs]} if chain else {}
        print_json({"config": experiment.to_dict(), **cost, **shown})
        return
    docstrings = {listed.name: listed.docstring for listed in list_recipes()}
    if chain:
        for name, diff in rungs:
            summary = docstrings.get(name, "").partition("\n")[0]
            console.print(f"{name}: {summary}" if summary else name, markup=False, style="bold")
            console.print("".join(f"    {line}\n" for line in diff.splitlines()), markup=False, soft_wrap=True)
    else:
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
    console.print(f"time here         about {duration(cost['seconds'])} ({cost['time_source']})")


def _rungs(recipe: str, experiment: Experiment) -> list[tuple[str, str]]:
    """The recipes from which one is derived, each with its change as a config diff; the command line's changes last."""
    from sevenepochs.recipes.catalog import load_recipe
    from sevenepochs.recipes.listing import chain
    from sevenepochs.report.config_diff import config_diff

    names = chain(recipe)
    configs = [load_recipe(name).to_dict() for name in names]
    diffs = ["", *(config_diff(before, after) for before, after in pairwise(configs))]
    rungs = list(zip(names, diffs, strict=True))
    if changed := config_diff(configs[-1], experiment.to_dict()):
        rungs.append(("your changes", changed))
    return rungs
