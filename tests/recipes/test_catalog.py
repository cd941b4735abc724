"""Recipes are found as text, loaded by name, and documented."""

import re
from pathlib import Path

import pytest

import sevenepochs
from sevenepochs import recipes
from sevenepochs.errors import UserError
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.report.inputs import collect
from sevenepochs.report.story import Story
from sevenepochs.store.results import list_results
from sevenepochs.store.run.layout import PROXY_SUFFIX

RESULTS = Path(__file__).parents[2] / "results"


def test_the_story_comes_first_and_the_record_is_a_recipe() -> None:
    names = [recipe.name for recipe in list_recipes()]
    assert names[:3] == ["baseline", "adamw", "rope"] and RECORD_RECIPE in names


def test_the_record_recipe_has_the_lowest_loss_that_was_published(tmp_path: Path) -> None:
    best = Story.of(collect([RESULTS], tmp_path)).parts["best"]
    assert best is not None and best.result.recipe == RECORD_RECIPE


def test_a_recipe_has_a_result_or_is_among_those_not_measured_yet() -> None:
    source = (Path(recipes.__file__).parent / "trials.py").read_text(encoding="utf-8")
    _, heading, below = source.partition("# ---- not measured yet")
    assert heading
    waiting = set(re.findall(r"^def (\w+)", below, flags=re.M))
    demo = {recipe.name for recipe in list_recipes() if recipe.module == "demo"}
    measured = {result.recipe.removesuffix(PROXY_SUFFIX) for result in list_results(RESULTS)}
    known = {recipe.name for recipe in list_recipes()}
    assert not waiting & measured, "measured now: move them above the heading in trials.py"
    assert known - demo - waiting <= measured, "no result: below the heading in trials.py until there is one"


def test_the_python_api_loads_and_changes_recipes() -> None:
    experiment = sevenepochs.load_recipe("demo_adamw", corpus="sample:50", seed=3)
    assert experiment.training.seed == 3
    assert experiment.corpus.to_dict()["n_titles"] == 50
    with pytest.raises(UserError, match="baseline"):
        sevenepochs.load_recipe("baselin")
    with pytest.raises(AttributeError):
        sevenepochs.nothing  # noqa: B018
