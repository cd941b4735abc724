"""A config that was written before a setting existed is that of a run with its default."""

import dataclasses
from pathlib import Path

import pytest

from sevenepochs.experiment import Experiment
from sevenepochs.report.config_diff import n_changes
from sevenepochs.results_folder import list_results, recipe_key
from sevenepochs.run_folder.execution import NOT_OF_A_RECIPE
from sevenepochs.run_folder.later_fields import _LATER, with_later_fields
from sevenepochs.settings import Training

PUBLISHED = list_results(Path(__file__).parents[2] / "results")


@pytest.mark.parametrize("result", PUBLISHED, ids=lambda result: result.name)
def test_every_published_config_says_what_the_present_package_reads_in_it(result) -> None:
    present = Experiment.from_dict(result.facts["config"]).to_dict()
    assert result.facts["config"] == present and n_changes(result.facts["config"], present) == 0


def test_seeds_of_before_and_after_are_one_recipe(finished_run) -> None:
    from sevenepochs.results_folder import result_of

    new, old = result_of(finished_run), result_of(finished_run)
    del old.facts["config"]["model"]["embedding"], old.facts["config"]["averaging"]
    assert recipe_key(old) != recipe_key(new)
    old.facts["config"] = with_later_fields(old.facts["config"])
    assert recipe_key(old) == recipe_key(new)


def test_the_defaults_are_those_of_the_classes(tiny: Experiment) -> None:
    plain = Experiment().to_dict()
    slots = {plain["kind"]: plain, **{slot["kind"]: slot for slot in (plain["training"], plain["model"])}}
    slots |= {plain["model"][name]["kind"]: plain["model"][name] for name in ("attention", "mlp")}
    for kind, fields in _LATER.items():
        assert {name: slots[kind][name] for name in fields} == fields


def test_what_a_config_says_stays() -> None:
    config = {"kind": "settings:Training", "snapshots": True, "micro_batches": 4, "seed": 3}
    assert with_later_fields(config) == config and with_later_fields({"a": {"kind": "x"}}) == {"a": {"kind": "x"}}


def test_what_is_not_of_a_recipe_are_settings_of_training() -> None:
    assert set(NOT_OF_A_RECIPE) <= {field.name for field in dataclasses.fields(Training)}
