"""The ladder of published results: full runs and proxies apart, and whether the second predict the first."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sevenepochs.comparison.ladder import Rung, published_losses
from sevenepochs.comparison.ladder import ladders as all_ladders
from sevenepochs.comparison.title_losses import of_run
from sevenepochs.recipes.listing import LADDER
from sevenepochs.report.ladder_section import figure, ladder_section, longest, proxy_check_section, proxy_words
from sevenepochs.report.story import Story
from sevenepochs.store.results import list_results
from sevenepochs.store.run import Run

FULL = {"baseline": 2.0, "adamw": 1.5, "muon": 1.4}
PROXY = {"baseline": 2.5, "adamw": 1.8, "muon": 1.9, "small_steps": 1.7}


def ladders(root: Path) -> dict[str, list[Rung]]:
    return all_ladders(LADDER, list_results(root), published_losses)


@pytest.fixture()
def both_scales(published_tiny: Path, copy_as: Callable[..., Path], tmp_path: Path) -> Path:
    for recipe, exact in FULL.items():
        copy_as(published_tiny, tmp_path, recipe, exact=exact)
    for recipe, exact in PROXY.items():
        copy_as(published_tiny, tmp_path, recipe, exact=exact, proxy=True)
    return tmp_path


def test_each_scale_has_a_table_of_its_own(both_scales: Path) -> None:
    full, proxy = ladder_section(ladders(both_scales)).split("at proxy scale, on development titles")
    assert full.index("full runs") < full.index("| `adamw` | 1 | 1.5000")
    assert "| `adamw` | 1 | 1.8000" in proxy and "1.8000" not in full and "1.5000" not in proxy
    assert "`small_steps`" in full.split("Not run in full yet: ")[1]
    assert "`small_steps`" not in proxy.split("Not run yet: ")[1]


def test_what_was_not_run_in_full_has_its_effect_at_proxy_scale(both_scales: Path, finished_run: Run) -> None:
    losses = of_run(finished_run)
    both = all_ladders(LADDER, list_results(both_scales), lambda result: losses)
    [full], proxies = ({k: r for k, r in both.items() if r[0].results[0].is_proxy is p} for p in (False, True))
    section = " ".join(ladder_section({full: both[full]}, proxies).split())  # lines are wrapped
    assert "and what they gave at proxy scale: `small_steps` +0.0000" in section  # the same losses for everybody
    assert "against `muon`, `plateau`, " in section and "proxy`" not in section
    assert "and what they gave" not in ladder_section(proxies, proxies)


def test_a_table_of_two_precisions_says_so(both_scales: Path) -> None:
    assert "Trained in" not in ladder_section(ladders(both_scales))
    [file] = both_scales.glob("adamw_*/result.json")
    data = json.loads(file.read_text())
    data["machine"]["precision"] = "bf16"
    file.write_text(json.dumps(data))
    assert "Trained in bf16 `adamw`; all else in fp32." in ladder_section(ladders(both_scales))


def test_the_figure_is_of_the_scale_with_most_rungs(both_scales: Path) -> None:
    pytest.importorskip("matplotlib")
    rungs = longest(ladders(both_scales).values())
    assert [rung.recipe for rung in rungs] == list(PROXY)
    assert "at proxy scale" in figure(rungs)


def test_one_recipe_is_no_ladder(published_tiny: Path, copy_as: Callable[..., Path], tmp_path: Path) -> None:
    copy_as(published_tiny, tmp_path, "baseline")
    assert longest(ladders(tmp_path).values()) == [] and longest([]) == []


def test_the_proxy_is_judged_by_the_recipes_that_were_run_at_both_scales(both_scales: Path) -> None:
    results = list_results(both_scales)
    section = proxy_check_section(results)
    assert "the proxy orders 2 of 3 pairs as full size does (3 recipes" in section
    assert "| `muon - adamw` | -0.1000 | +0.1000 | disagree |" in section and "small_steps" not in section
    assert section.startswith("On ") and proxy_words(results) in section.replace("\n", " ")
    alone = [result for result in results if not result.is_proxy]
    assert "unchecked" in proxy_check_section(alone) and proxy_words(alone) == ""


def test_a_proxy_with_other_settings_says_nothing_of_the_full_run(both_scales: Path) -> None:
    [file] = both_scales.glob("muon-proxy_*/result.json")
    data = json.loads(file.read_text())
    data["config"]["model"]["d_model"] = 8  # what the proxy changes
    file.write_text(json.dumps(data))
    assert "3 recipes" in proxy_check_section(list_results(both_scales))
    data["config"]["optimizer"]["lr"] = 7.0
    file.write_text(json.dumps(data))
    assert "the proxy orders 1 of 1 pairs" in proxy_check_section(list_results(both_scales))


def test_a_story_keeps_its_proxies_apart_and_knows_when_one_came(
    both_scales: Path, published_tiny: Path, copy_as: Callable[..., Path]
) -> None:
    before = Story.of(list_results(both_scales))
    assert {p.result.recipe for p in before.everything} == set(FULL)
    assert {p.result.recipe for p in before.proxies} == {f"{name}-proxy" for name in PROXY}
    assert before.elsewhere == () and len(before.ladders) == 2
    copy_as(published_tiny, both_scales, "plateau", exact=1.6, proxy=True)
    assert Story.of(list_results(both_scales)).digest != before.digest


def test_proxies_are_no_story_where_a_full_run_is(
    published_tiny: Path, copy_as: Callable[..., Path], tmp_path: Path
) -> None:
    for recipe in ("muon", "plateau", "rotary"):
        copy_as(published_tiny, tmp_path, recipe, proxy=True)
    assert len(Story.of(list_results(tmp_path)).everything) == 3
    copy_as(published_tiny, tmp_path, "laptop")
    story = Story.of(list_results(tmp_path))
    assert [p.result.recipe for p in story.everything] == ["laptop"] and len(story.proxies) == 3
