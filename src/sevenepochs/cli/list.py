"""`list`."""

from __future__ import annotations

from sevenepochs.cli.json_output import print_json


def list_recipes(json: bool = False) -> None:
    """List the recipes.

    Args:
        json: Print JSON.
    """
    import dataclasses

    from rich.table import Table

    from sevenepochs.cli.console import console
    from sevenepochs.recipes import RECORD_RECIPE
    from sevenepochs.recipes.catalog import list_recipes as find

    if json:
        print_json([dataclasses.asdict(recipe) for recipe in find()])
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("recipe")
    table.add_column("what")
    for recipe in find():
        star = " *" if recipe.name == RECORD_RECIPE else ""
        table.add_row(recipe.name + star, recipe.summary)
    console.print(table)
    console.print(
        "* the record recipe, which `python train.py` runs. `sevenepochs show RECIPE` tells more.", style="dim"
    )
