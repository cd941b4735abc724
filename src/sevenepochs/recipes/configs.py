"""The configuration of every recipe as plain JSON, so that a report can tell whether a run is of the recipe that it is
called after. No torch.

configs.json holds the stock recipe's configuration and, of every other recipe, what differs from it. A test holds it
against the recipes; `python -m sevenepochs.recipes.write_configs` writes it again. Corpus and seed are left out: a
recipe is the same on other titles.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sevenepochs.store.choosing import recipe_config
from sevenepochs.store.results import Result
from sevenepochs.store.run.layout import PROXY_SUFFIX

FILE = Path(__file__).with_name("configs.json")
STOCK = "baseline"
_NAMED = 3  # settings that `called` names; more are counted


def recipe_changes(result: Result) -> dict[str, Any] | None:
    """Settings of a run that differ from the recipe it is called after, dotted path to value.

    A slot that holds another class is one entry, whose value is the slot's configuration. Returns None for a recipe
    outside the package. A run at proxy scale is compared with the recipe at proxy scale.
    """
    expected = expected_config(result)
    return None if expected is None else changes(expected, recipe_config(result))


def expected_config(result: Result) -> dict[str, Any] | None:
    """The configuration of the recipe that a run is called after, as `recipe_config` gives it; None where that recipe
    is not one of the package's."""
    name, recipes = result.recipe, _recipes()
    if name in recipes:
        return copy.deepcopy(recipes[name])
    if result.is_proxy and (config := copy.deepcopy(recipes.get(name.removesuffix(PROXY_SUFFIX)))):
        sizes = proxy_sizes(config["model"]["d_model"], config["model"]["n_head"], config["batches"]["batch_size"])
        return apply(config, sizes)
    return None


def called(result: Result) -> str:
    """What a run is called in prose: its recipe, and the settings that differ from that recipe."""
    name, changed = result.recipe, recipe_changes(result)
    if not changed:
        return name
    told = [f"{_short(path, changed)}={_value(value)}" for path, value in list(changed.items())[:_NAMED]]
    rest = len(changed) - len(told)
    more = f" and {rest} more change{'s' if rest > 1 else ''}" if rest else ""
    return f"{name} with {', '.join(told)}{more}"


def named(result: Result) -> str:
    """A result's name, and behind it what the run is called where that is not the recipe in the name."""
    return f"{result.name} ({called(result)})" if recipe_changes(result) else result.name


def unchanged(results: Iterable[Result]) -> list[Result]:
    """Those that are of the recipe that they are called after, or of none of the package."""
    return [result for result in results if not recipe_changes(result)]


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
    """Every recipe's configuration as `store.choosing.recipe_config` gives it. Not to be changed."""
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    stock = stored.pop(STOCK)
    return {STOCK: stock, **{name: apply(stock, changed) for name, changed in stored.items()}}


def _short(path: str, changed: Mapping[str, Any]) -> str:
    """The last part of a path where no other change ends in it, else all of it."""
    last = path.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in changed) == 1 else path


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("kind")).rpartition(":")[2]
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
