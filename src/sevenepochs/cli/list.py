"""`list`."""

from __future__ import annotations

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Json

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
    import dataclasses

    from rich.table import Table

    from sevenepochs.cli.console import console
    from sevenepochs.recipes import RECORD_RECIPE
    from sevenepochs.recipes.listing import list_recipes as find

    headings = _SHOWN | _REST if all else _SHOWN
    found = find()
    shown = [recipe for recipe in found if recipe.module in headings]
    if json:
        print_json([dataclasses.asdict(recipe) for recipe in shown])
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("recipe")
    table.add_column("what")
    module = ""
    for recipe in shown:
        if recipe.module != module:
            module = recipe.module
            table.add_row()
            table.add_row("", headings[module], style="bold")
        star = " *" if recipe.name == RECORD_RECIPE else ""
        table.add_row(recipe.name + star, recipe.summary)
    console.print(table)
    console.print(
        "\n* the record recipe, which `python train.py` runs. `sevenepochs show RECIPE` prints a recipe as Python.",
        style="dim",
    )
    if not all:
        console.print(f"{len(found) - len(shown)} more with `sevenepochs list --all`", style="dim")
