"""The configuration of every recipe as plain JSON, so that a report can tell whether a run is of the recipe that it is
called after. No torch.

configs.json holds the stock recipe's configuration and, of every other recipe, what differs from it. A test holds it
against the recipes; `python -m sevenepochs.recipes.configs` writes it again. Corpus and seed are left out: a recipe is
the same on other titles.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sevenepochs.results_folder import PROXY_SUFFIX, Result, plain_config, recipe_config

_FILE = Path(__file__).with_name("configs.json")
_STOCK = "baseline"
_NAMED = 3  # settings that `called` names; more are counted


def recipe_changes(result: Result) -> dict[str, Any] | None:
    """Settings of a run that differ from the recipe it is called after, dotted path to value.

    A slot that holds another class is one entry, whose value is the slot's configuration. Returns None for a recipe
    outside the package. A run at proxy scale is compared with the recipe at proxy scale.
    """
    name = str(result.facts["recipe"])
    recipes = _recipes()
    if name in recipes:
        return changes(recipes[name], recipe_config(result))
    plain = name.removesuffix(PROXY_SUFFIX)
    if result.is_proxy and plain in recipes:
        config = copy.deepcopy(recipes[plain])
        sizes = proxy_sizes(config["model"]["d_model"], config["model"]["n_head"], config["batches"]["batch_size"])
        return changes(apply(config, sizes), recipe_config(result))
    return None


def called(result: Result) -> str:
    """What a run is called in prose: its recipe, and the settings that differ from that recipe."""
    name, changed = str(result.facts["recipe"]), recipe_changes(result)
    if not changed:
        return name
    told = [f"{_short(path, changed)}={_value(value)}" for path, value in list(changed.items())[:_NAMED]]
    rest = len(changed) - len(told)
    more = f" and {rest} more change{'s' if rest > 1 else ''}" if rest else ""
    return f"{name} with {', '.join(told)}{more}"


def proxy_sizes(d_model: int, n_head: int, batch_size: int) -> dict[str, int]:
    """Sizes at proxy scale, by dotted path: half the width, half the heads, a quarter of the rows."""
    n_head = n_head // 2 if n_head % 2 == 0 else n_head
    # rotary positions turn pairs, so a head's size stays even
    d_model = max(1, round(d_model / 2 / (2 * n_head))) * 2 * n_head
    return {"model.d_model": d_model, "model.n_head": n_head, "batches.batch_size": max(1, round(batch_size / 4))}


def changes(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """What turns one configuration into another, dotted path to plain value; a slot that holds another class is one
    entry. A key that only `before` has is passed over: within one class both have the same."""
    found: dict[str, Any] = {}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and value.get("kind") == old.get("kind"):
            found |= changes(old, value, f"{prefix}{key}.")
        elif key not in before or value != old:
            found[prefix + key] = value
    return found


def apply(config: dict[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a configuration with `changes` made to it."""
    result = copy.deepcopy(config)
    for path, value in changed.items():
        *slots, key = path.split(".")
        place = result
        for slot in slots:
            place = place[slot]
        place[key] = copy.deepcopy(value)
    return result


@functools.cache
def _recipes() -> dict[str, dict[str, Any]]:
    """Every recipe's configuration as `results_folder.recipe_config` gives it. Not to be changed."""
    stored = json.loads(_FILE.read_text(encoding="utf-8"))
    stock = stored.pop(_STOCK)
    return {_STOCK: stock, **{name: apply(stock, changed) for name, changed in stored.items()}}


def _short(path: str, changed: Mapping[str, Any]) -> str:
    """The last part of a path where no other change ends in it, else all of it."""
    last = path.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in changed) == 1 else path


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("kind")).rpartition(":")[2]
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def text_of_recipes() -> str:
    """What configs.json has to hold, from the recipes themselves (this imports torch)."""
    from sevenepochs.recipes.catalog import list_recipes, load_recipe

    configs = {recipe.name: plain_config(load_recipe(recipe.name).to_dict()) for recipe in list_recipes()}
    stock = configs.pop(_STOCK)
    stored = {_STOCK: stock, **{name: changes(stock, config) for name, config in sorted(configs.items())}}
    lines = (f"{json.dumps(name)}: {json.dumps(config)}" for name, config in stored.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    _FILE.write_text(text_of_recipes(), encoding="utf-8", newline="\n")
