"""What reports know of the recipes without torch: their configurations, and what a run changed in one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sevenepochs.campaign.proxy import at_proxy_scale
from sevenepochs.comparison.compare import groups_to_compare
from sevenepochs.recipes import configs
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.recipes.write_configs import text_of_recipes
from sevenepochs.store.choosing import plain_config
from sevenepochs.store.results import Result, list_results

ROOT = Path(__file__).parents[2]


def result(recipe: str, experiment, run: str = "run") -> Result:
    published = list_results(ROOT / "tests" / "fixtures" / "before_kinds" / "results")[0].facts
    corpus = replace(published.corpus, kind="development" if recipe.endswith("-proxy") else "file")
    return Result(None, replace(published, recipe=recipe, run=run, config=experiment.to_dict(), corpus=corpus))


def test_the_stored_configurations_are_the_recipes():
    advice = "write it again: python -m sevenepochs.recipes.write_configs"
    assert configs.FILE.read_text(encoding="utf-8") == text_of_recipes(), advice
    for recipe in list_recipes():
        config = json.loads(json.dumps(load_recipe(recipe.name).to_dict()))
        assert configs._recipes()[recipe.name] == plain_config(config), recipe.name


def test_every_published_result_is_of_the_recipe_that_it_is_called_after():
    results = [r for r in list_results(ROOT / "results") if r.facts.track != "ensemble"]
    assert results
    for result in results:
        changed = configs.recipe_changes(result)
        assert changed is not None
        assert bool(changed) == ("--set" in result.facts.command) == (f"{result.recipe}_hn" not in result.name)


@pytest.mark.parametrize(
    ("recipe", "changed", "words"),
    [
        ("baseline", {}, "baseline"),
        ("baseline", {"training.seed": 3, "training.compile": "off", "corpus.revision": "2026"}, "baseline"),
        ("baseline", {"model.n_layer": 1}, "baseline with n_layer=1"),
        ("adamw", {"optimizer": "optim.sgd:SGD"}, "adamw with optimizer=sgd"),
        ("adamw", {"model.facts": "facts"}, "adamw with facts=facts"),
        ("laptop_domain", {"model.facts": None}, "laptop_domain with facts=none"),
        ("baseline", {"model.residual.dropout": 0.0, "model.attention.dropout": 0.0},
         "baseline with model.attention.dropout=0.0, model.residual.dropout=0.0"),
        ("baseline", {"model.n_layer": 1, "model.n_head": 2, "model.d_model": 64, "optimizer.lr": 1.0},
         "baseline with n_layer=1, n_head=2, d_model=64 and 1 more change"),
    ],
)  # fmt: skip
def test_a_run_is_called_by_its_configuration(recipe, changed, words):
    assert configs.called(result(recipe, load_recipe(recipe).replace_all(changed))) == words


@pytest.mark.parametrize(
    ("recipe", "made_of", "changed", "found"),
    [
        ("baseline", "adamw", {"training.seed": 3}, "adamw"),
        ("laptop_letters", "laptop_letters", {"model.n_layer": 12, "model.n_head": 8, "model.d_model": 512,
         "model.embedding_dropout": 0.2, "model.residual.dropout": 0.2}, "letters"),
        ("baseline", "baseline", {"training.compile": "off"}, "baseline"),
        ("baseline", "adamw", {"model.n_layer": 5}, "baseline"),
        ("mine.py:wider", "adamw", {}, "mine.py:wider"),
    ],
)  # fmt: skip
def test_a_run_is_of_the_recipe_that_has_its_settings(recipe, made_of, changed, found):
    experiment = load_recipe(made_of).replace_all(changed)
    assert configs.recipe_of(result(recipe, experiment)) == found
    if ".py" not in recipe:
        assert configs.recipe_of(result(f"{recipe}-proxy", at_proxy_scale(experiment))) == f"{found}-proxy"


def test_a_recipe_of_ones_own_is_called_by_its_name():
    assert configs.recipe_changes(result("mine.py:wider", load_recipe("adamw"))) is None
    assert configs.called(result("mine.py:wider", load_recipe("adamw"))) == "mine.py:wider"


def test_a_run_at_proxy_scale_is_compared_with_the_recipe_at_that_scale():
    small = at_proxy_scale(load_recipe("letters"))
    assert configs.recipe_changes(result("letters-proxy", small)) == {}
    assert configs.called(result("letters-proxy", small.replace("optimizer.lr", 7.0))) == "letters-proxy with lr=7.0"


def test_a_comparison_names_two_configurations_of_a_recipe_apart():
    plain = load_recipe("adamw")
    runs = [result("adamw", plain, "run0"), result("adamw", plain.replace("model.n_layer", 2), "run1")]
    assert [one.name for one in groups_to_compare(runs)] == ["adamw", "adamw with n_layer=2"]
