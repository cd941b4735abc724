"""Which curves the README's figure shows."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.recipes.listing import LADDER
from sevenepochs.report.readme_figures import CURVES, figures
from sevenepochs.store.results import list_results


def test_the_record_recipe_is_drawn_however_many_rungs_were_run(
    published_tiny: Path, copy_as: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    for recipe in {*LADDER, "rope", RECORD_RECIPE}:
        copy_as(published_tiny, tmp_path, recipe)
    svg = figures(list_results(tmp_path), {})[CURVES]
    (title,) = re.findall("<title>.* of (.*)</title>", svg)
    drawn = title.split(", ")
    first = {"baseline", "adamw", "rope", RECORD_RECIPE}
    assert set(drawn[:4]) == first and len(drawn) == 6
    assert drawn[4:] == [rung for rung in reversed(LADDER) if rung not in first][:2], "then the ladder from its top"
