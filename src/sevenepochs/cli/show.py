"""`show`."""

from __future__ import annotations

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Column, Corpus, Encoding, Positional, Recipe, Revision, Seed, Settings


def show(
    recipe: Positional[Recipe],
    corpus: Corpus = None,
    column: Column = None,
    encoding: Encoding = None,
    revision: Revision = None,
    seed: Seed = None,
    settings: Settings = (),
    json: bool = False,
) -> None:
    """Show a recipe: resolved config, parameters, steps, tokens a step, FLOPs, and the time it would take here.

    Args:
        recipe: A name from `sevenepochs list`, or path/file.py:function.
        corpus: Count the steps on this corpus (the recipe's own by default; the hub's only when it is cached).
        column: The column that holds the titles.
        revision: The hub dataset's revision.
        seed: As for train.
        settings: Changes.
        json: Print JSON.
    """
    from sevenepochs.cli.console import console, duration, errors
    from sevenepochs.cli.options import experiment_from
    from sevenepochs.recipes.catalog import list_recipes
    from sevenepochs.store.run.storage import json_text
    from sevenepochs.training.estimate import estimate

    experiment = experiment_from(recipe, corpus, column, revision, seed, settings, encoding)
    facts = estimate(experiment, may_download=corpus is not None, announce=lambda text: errors.print(text, style="dim"))
    if json:
        print_json({"config": experiment.to_dict(), **facts})
        return
    for listed in list_recipes():
        if listed.name == recipe:
            console.print(listed.docstring + "\n", markup=False)
    console.print(json_text(experiment.to_dict()), markup=False, end="")
    console.print()
    known = facts["parameters"] is not None  # else the embedding depends on the vocabulary that the corpus makes
    if known:
        console.print(f"parameters        {facts['parameters']:,}")
    console.print(f"tokens a step     {facts['tokens_per_step']:,}")
    if facts["n_steps"] is None:
        if known:
            console.print(f"FLOPs a step      {facts['flop_per_step']:.3g}")
        console.print(f"{'steps, time' if known else 'parameters, time':18}known once the corpus is here:")
        console.print(" " * 18 + "add --corpus PATH, or hub (a download of 426 MB)")
        return
    console.print(f"steps             {facts['n_steps']:,} ({facts['steps_source']})")
    console.print(f"FLOPs             {facts['training_flop']:.3g} for training, {facts['flop_per_step']:.3g} a step")
    console.print(f"time here         about {duration(facts['seconds'])} ({facts['time_source']})")
