"""The table of what techniques give on top of laptop_letters at proxy scale."""

import dataclasses
from pathlib import Path

import pytest

from sevenepochs.comparison.noise import read_noises
from sevenepochs.recipes.configs import recipe_changes
from sevenepochs.report.techniques import techniques_section
from sevenepochs.store.results import Result, list_results

RESULTS = Path(__file__).parents[2] / "results"
PUBLISHED = [r for r in list_results(RESULTS) if "letters" in r.recipe or r.recipe == "laptop-proxy"]


def rows(results: list[Result]) -> dict[str, list[str]]:
    lines = techniques_section(results, read_noises(RESULTS)).splitlines()
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {name: rest for name, *rest in cells}


def test_what_is_made_of_the_recipe_is_judged_by_its_seeds() -> None:
    found = rows(PUBLISHED)
    assert {"laptop_letters", "laptop", "letters"}.isdisjoint(found)  # the base itself, below it, and full runs
    assert (found["laptop_faster_letters"][1], found["laptop_faster_letters"][-1]) == ("1.2413", "worse")
    assert found["laptop_faster_letters"][3].startswith("+0.0090")  # against seed 1337, not the mean of three
    assert found["laptop_others_letters"][-1] == "worse"  # by less than four times the baseline's deviation
    assert found["laptop_firm_letters"][-1] in ("no difference", "not yet: too few seeds")
    losses = [float(cells[1]) for cells in found.values()]
    assert losses == sorted(losses)


def test_changed_settings_are_a_row_of_their_own() -> None:
    of = next(r for r in PUBLISHED if r.recipe == "laptop_letters-proxy" and r.seed == 1338)
    config = {**of.config, "averaging": {"kind": "tail", "last": 0.05}}
    changed = dataclasses.replace(of, facts=dataclasses.replace(of.facts, config=config))
    found = rows([*PUBLISHED, changed])
    assert found["laptop_letters with averaging=tail"][:2] == ["1", "1.2324"]


@pytest.mark.parametrize("kept", [[], ["laptop_letters-proxy"], ["laptop_firm_letters-proxy"]])
def test_without_the_recipe_or_without_others_there_is_no_table(kept: list[str]) -> None:
    assert techniques_section([r for r in PUBLISHED if r.recipe in kept and not recipe_changes(r)]) == ""
