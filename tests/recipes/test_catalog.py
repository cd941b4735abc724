"""Recipes are found as text, loaded by name, and documented."""

from pathlib import Path

import pytest

import sevenepochs
from sevenepochs.errors import UserError
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.recipes.catalog import list_recipes, load_recipe
from sevenepochs.report.inputs import collect
from sevenepochs.report.story import Story

RESULTS = Path(__file__).parents[2] / "results"


def test_the_story_comes_first_and_the_record_is_a_recipe() -> None:
    names = [recipe.name for recipe in list_recipes()]
    assert names[:3] == ["baseline", "adamw", "rope"] and RECORD_RECIPE in names


def test_the_record_recipe_has_the_lowest_loss_that_was_published(tmp_path: Path) -> None:
    best = Story.of(collect([RESULTS], tmp_path)).parts["best"]
    assert best is not None and best.result.facts["recipe"] == RECORD_RECIPE


@pytest.mark.parametrize("recipe", list_recipes(), ids=lambda recipe: recipe.name)
def test_every_recipe_loads_and_states_its_case(recipe) -> None:  # type: ignore[no-untyped-def]
    experiment = load_recipe(recipe.name)
    assert type(experiment).from_dict(experiment.to_dict()) == experiment
    for heading in ("Hypothesis:", "Reference:", "Time:", f"Command: sevenepochs train {recipe.name}"):
        assert heading in recipe.docstring, heading


def test_the_python_api_loads_and_changes_recipes() -> None:
    experiment = sevenepochs.load_recipe("demo_adamw", corpus="sample:50", seed=3)
    assert experiment.training.seed == 3
    assert experiment.corpus.to_dict()["n_titles"] == 50
    with pytest.raises(UserError, match="baseline"):
        sevenepochs.load_recipe("baselin")
    with pytest.raises(AttributeError):
        sevenepochs.nothing  # noqa: B018
