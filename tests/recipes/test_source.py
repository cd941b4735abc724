"""Recipes written out as Python come back from a file as equal experiments."""

import dataclasses
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sevenepochs.cli.main import main
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.experiment import Experiment
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.recipes.source import as_python

TECHNIQUE_PAGE = Path(__file__).parents[2] / "docs" / "add-a-technique.md"


@pytest.fixture
def comes_back(tmp_path: Path) -> Callable[[Experiment], Experiment]:
    """The experiment that the written-out one's file gives."""

    def load(experiment: Experiment) -> Experiment:
        file = tmp_path / "written.py"
        file.write_text(as_python(experiment, "mine"), encoding="utf-8")
        return load_recipe(f"{file}:mine")

    return load


@pytest.mark.parametrize("recipe", list_recipes(), ids=lambda recipe: recipe.name)
def test_every_recipe(recipe, comes_back) -> None:  # type: ignore[no-untyped-def]
    assert comes_back(load_recipe(recipe.name)) == load_recipe(recipe.name)


def test_settings_of_the_command_line(comes_back: Callable[[Experiment], Experiment]) -> None:
    changes = {
        "corpus": SampleCorpus(n_titles=50),
        "training.seed": 3,
        "optimizer.lr": 1e-7,
        "training.grad_clip": None,
    }
    experiment = load_recipe("letters").replace_all(changes)
    assert comes_back(experiment) == experiment
    text = as_python(experiment, "mine")
    assert "seed=3" in text and "precision" not in re.sub(r"Muon\(.*?\)", "", text, flags=re.S), "stock is left out"
    assert max(map(len, text.splitlines())) <= 120


def test_a_field_outside_equality_is_left_out() -> None:
    @dataclasses.dataclass(frozen=True)
    class Named(Experiment):
        label: str | None = dataclasses.field(default=None, compare=False)

    text = as_python(Named(label="mine"), "mine")
    assert "label" not in text and "training=Training(" in text


def test_a_class_of_the_users_own_also_where_it_is_called_like_one_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TECHNIQUE_PAGE.read_text(encoding="utf-8"), flags=re.S)
    file = tmp_path / "own.py"
    file.write_text(code.replace("Smear", "AdamW").replace("import AdamW", "import AdamW as Ours"), encoding="utf-8")
    experiment = load_recipe(f"{file}:smear")
    written = tmp_path / "written.py"
    written.write_text(as_python(experiment, "mine"), encoding="utf-8")
    monkeypatch.delitem(sys.modules, type(experiment.model.skip).__module__)  # as in another process
    assert load_recipe(f"{written}:mine").to_dict() == experiment.to_dict()


def test_show_prints_it_unbroken_in_a_narrow_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sevenepochs.cli.console.console.width", 60)
    assert main(["show", RECORD_RECIPE]) == 0
    printed = capsys.readouterr().out
    code = printed[printed.index("from sevenepochs") : printed.index("\n\ntokens a step")]
    (tmp_path / "file.py").write_text(code, encoding="utf-8")
    assert load_recipe(f"{tmp_path}/file.py:{RECORD_RECIPE}") == load_recipe(RECORD_RECIPE)


def test_show_prints_the_rungs_with_their_changes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "small_steps", "--chain", "--seed", "5"]) == 0
    printed = capsys.readouterr().out
    places = [printed.index(f"\n{name}: ") for name in ("adamw", "muon", "small_steps")]
    assert places == sorted(places) and printed.startswith("baseline: ")
    assert "- batches.batch_size = 64" in printed[places[2] :] and "+ batches.batch_size = 32" in printed[places[2] :]
    assert "FLOPs a step" in printed
    assert main(["show", "small_steps", "--chain", "--set", "optimizer.lr=0.5"]) == 0
    assert "+ optimizer.lr = 0.5" in capsys.readouterr().out, "the command line's changes are a rung, too"
    assert main(["show", "mine.py:own", "--chain"]) == 2
