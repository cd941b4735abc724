"""The arithmetic of published runs, against the package's own count."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sevenepochs.comparison.work import training_flop
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.store.results import Result, list_results

PUBLISHED = list_results(Path(__file__).parents[2] / "results")


def of(config: dict[str, Any], n_steps: int = 11) -> Result:
    return Result(None, dataclasses.replace(PUBLISHED[0].facts, config=config, n_steps=n_steps))


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        *((recipe.name, {}) for recipe in list_recipes()),
        ("letters", {"objective": "late_r_drop", "objective.first_epoch": 6}),
        ("letters", {"objective": "late_r_drop", "objective.first_epoch": 9}),
        ("letters", {"model.mlp": "relu_squared", "model.head": "soft_cap", "model.skip": "u_net"}),
    ],
)
def test_it_is_counted_as_the_experiment_counts_it(recipe: str, changes: dict[str, Any]) -> None:
    n_head = load_recipe(recipe).model.n_head
    small = {"model.d_model": 4 * n_head, "tokenizer.vocab_size": 300, "model.embedding": "table", **changes}
    experiment = load_recipe(recipe).replace_all(small)
    expected = 11 * experiment.step_flop(experiment.build_model(300))
    assert training_flop(of(experiment.to_dict())) == pytest.approx(expected, rel=1e-12)


def test_every_published_run_has_its_arithmetic() -> None:
    flop = {result.name: training_flop(result) for result in PUBLISHED if result.facts.track != "ensemble"}
    assert None not in flop.values()
    assert flop["laptop_letters_hn_titles_s1337"] == pytest.approx(1.96e15, rel=0.005)  # as `show` says


def test_parts_from_elsewhere_are_not_guessed_at() -> None:
    assert training_flop(of({**load_recipe("adamw").to_dict(), "objective": {"kind": "mine:Loss"}})) is None
