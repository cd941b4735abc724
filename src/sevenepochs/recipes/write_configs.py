"""Write configs.json from the recipes: `python -m sevenepochs.recipes.write_configs`, after one of them changed."""

from __future__ import annotations

import json

from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.configs import FILE, STOCK, changes
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.store.choosing import plain_config


def text_of_recipes() -> str:
    """Return the content of configs.json."""
    configs = {recipe.name: plain_config(load_recipe(recipe.name).to_dict()) for recipe in list_recipes()}
    stock = configs.pop(STOCK)
    stored = {STOCK: stock, **{name: changes(stock, config) for name, config in sorted(configs.items())}}
    lines = (f"{json.dumps(name)}: {json.dumps(config)}" for name, config in stored.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(text_of_recipes(), encoding="utf-8", newline="\n")
