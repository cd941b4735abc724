"""Choose among results: those that belong together, and the one that is quoted for them. No torch."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from sevenepochs.protocol.budget import OFFICIAL_SEED
from sevenepochs.store.results import Result

# fields of the slot `training`: how a machine carries a run out, the same but for rounding; what is no recipe's own
EXECUTION_FIELDS = ("device", "compile", "micro_batches", "checkpoint_seconds")
NOT_OF_A_RECIPE = ("seed", "precision", "snapshots", *EXECUTION_FIELDS)


def by_titles(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Return results by the hash of their validation titles, in the order of their first mention."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.titles, []).append(result)
    return found


def recipe_key(result: Result) -> str:
    """Return a text that runs of one recipe on one corpus share: name, titles of both splits, and `plain_config`."""
    trained_on = result.corpus.split.train_titles_sha256
    return json.dumps([result.recipe, trained_on, result.titles, plain_config(result.config)], sort_keys=True)


def plain_config(experiment: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a configuration without the corpus, the seed and how the machine executes it."""
    config = {key: copy.deepcopy(value) for key, value in experiment.items() if key != "corpus"}
    config["training"] = {key: value for key, value in config["training"].items() if key not in NOT_OF_A_RECIPE}
    return config


def official_first(seeds: Iterable[Result]) -> list[Result]:
    """Sort runs of a recipe by who is quoted for it: the official seed, then the smallest. Quoting the best seed would
    flatter recipes with more seeds."""
    return sorted(seeds, key=lambda result: (result.seed != OFFICIAL_SEED, result.seed))


def record(results: Iterable[Result]) -> list[Result]:
    """Return the results of the recipe with the lowest exact loss, `official_first`; recipes are ranked by the first.
    Only single-track results under a clean certificate count. Empty where there is none."""
    recipes: dict[str, list[Result]] = {}
    for result in results:
        if result.facts.track == "single" and result.is_clean:
            recipes.setdefault(recipe_key(result), []).append(result)
    return min(map(official_first, recipes.values()), key=lambda seeds: seeds[0].exact, default=[])


def mean_exact(seeds: Sequence[Result]) -> float:
    """Return the mean exact loss, nats per character."""
    return math.fsum(seed.exact for seed in seeds) / len(seeds)


def most_recipes(results: Iterable[Result]) -> list[Result]:
    """Return the results on the titles that most recipes were run on."""
    return max(by_titles(results).values(), key=lambda some: len({r.recipe for r in some}), default=[])
