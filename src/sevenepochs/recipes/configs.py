"""The configuration of every recipe as plain JSON, for reports: does a run have the settings of its recipe? No torch.

configs.json holds the stock recipe's configuration, and what every other recipe changes in it. A test compares it with
the recipes; `python -m sevenepochs.recipes.write_configs` writes it. Corpus and seed are no part of it.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sevenepochs.store.choosing import plain_config
from sevenepochs.store.results import Result
from sevenepochs.store.run.layout import PROXY_SUFFIX

FILE = Path(__file__).with_name("configs.json")
STOCK = "baseline"
_NAMED = 3  # settings that `called` names; more are counted


def recipe_changes(result: Result) -> dict[str, Any] | None:
    """Return the settings of a run that differ from its recipe's, dotted path to value; None for a recipe outside the
    package. A slot with another class is one entry. A run at proxy scale is compared with the recipe at that scale.
    """
    expected = expected_config(result)
    return None if expected is None else changes(expected, plain_config(result.config))


def expected_config(result: Result) -> dict[str, Any] | None:
    """Return the configuration of a run's recipe as `plain_config` gives it; None for a recipe outside the package."""
    name, recipes = result.recipe, _recipes()
    if name in recipes:
        return copy.deepcopy(recipes[name])
    if result.is_proxy and (config := recipes.get(name.removesuffix(PROXY_SUFFIX))):
        return at_proxy_sizes(config)
    return None


def at_proxy_sizes(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration, as `plain_config` gives it, at proxy scale."""
    sizes = proxy_sizes(config["model"]["d_model"], config["model"]["n_head"], config["batches"]["batch_size"])
    return apply(config, sizes)


def recipe_of(result: Result) -> str:
    """Return the name of the recipe that has a run's settings: another one than its own where settings were changed and
    a recipe has them all, perhaps a recipe that was written after the run."""
    if not recipe_changes(result):
        return result.recipe
    names = (f"{name}{PROXY_SUFFIX * result.is_proxy}" for name in _recipes())
    renamed = (replace(result, facts=replace(result.facts, recipe=name)) for name in names)
    return next((other.recipe for other in renamed if not recipe_changes(other)), result.recipe)


def called(result: Result) -> str:
    """Return a run's name for prose: its recipe, and the settings that differ from it."""
    name, changed = result.recipe, recipe_changes(result)
    if not changed:
        return name
    shown = [f"{_short(path, changed)}={_value(value)}" for path, value in list(changed.items())[:_NAMED]]
    rest = len(changed) - len(shown)
    more = f" and {rest} more change{'s' if rest > 1 else ''}" if rest else ""
    return f"{name} with {', '.join(shown)}{more}"


def named(result: Result) -> str:
    """Return a result's name, followed by `called` in brackets where settings differ from the recipe in the name."""
    return f"{result.name} ({called(result)})" if recipe_changes(result) else result.name


def unchanged(results: Iterable[Result]) -> list[Result]:
    """Return the results whose settings are their recipe's, and those of recipes outside the package."""
    return [result for result in results if not recipe_changes(result)]


def proxy_sizes(d_model: int, n_head: int, batch_size: int) -> dict[str, int]:
    """Return the sizes at proxy scale, by dotted path: half the width, half the heads, a quarter of the rows."""
    n_head = n_head // 2 if n_head % 2 == 0 else n_head
    # rotary positions turn pairs, so a head's size stays even
    d_model = max(1, round(d_model / 2 / (2 * n_head))) * 2 * n_head
    return {"model.d_model": d_model, "model.n_head": n_head, "batches.batch_size": max(1, round(batch_size / 4))}


def changes(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return what turns one configuration into another, dotted path to plain value; a slot with another class is one
    entry. A key of `before` alone is none in `after`: both have the keys of one class, less those left out as none."""
    found: dict[str, Any] = {prefix + key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and value.get("kind") == old.get("kind"):
            found |= changes(old, value, f"{prefix}{key}.")
        elif key not in before or value != old:
            found[prefix + key] = value
    return found


def apply(config: dict[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a configuration with `changes` made to it."""
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
    """Return every recipe's configuration as `plain_config` gives it. Do not change it: it is cached."""
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
