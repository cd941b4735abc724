"""The project's notebooks: they run, define nothing, and what is committed is what the sources say."""

import ast
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jupytext
import pytest

import sevenepochs
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.recipes import configs
from sevenepochs.report.cells import CELLS
from sevenepochs.report.notebooks import execute
from sevenepochs.store.choosing import plain_config
from sevenepochs.store.run import Run, list_runs

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))
SUBJECTS = {
    "first_run": "first",
    "step_one": "one",
    "step_two": "two",
    "best_recipe": "best",
    "looking_inside": "best",
}


def cells_of(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text(encoding="utf-8"))["cells"])


def label_of(cell: dict[str, Any]) -> str | None:
    first = "".join(cell["source"]).splitlines()[:1]
    return first[0].removeprefix("#| label: ") if first and first[0].startswith("#| label: ") else None


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)
def test_a_notebook_runs_on_a_run_folder_and_shows_what_the_site_would(
    source: Path, finished_run: Run, tmp_path: Path
) -> None:
    target = tmp_path / f"{source.stem}.ipynb"
    execute(source, target, run=str(finished_run.path))
    story = sevenepochs.open_story(finished_run.path, SUBJECTS[source.stem])
    drawn = 0
    for cell in cells_of(target):
        label = label_of(cell) if cell["cell_type"] == "code" else None
        if label is not None:
            [output] = cell["outputs"]
            told = {kind: "".join(text) for kind, text in output["data"].items()}
            assert told["text/plain"]
            if label in CELLS:
                assert told == CELLS[label].show(story).bundle(), label
            drawn += "image/svg+xml" in told
    assert drawn >= 3


def test_the_notebooks_are_the_storys_and_define_nothing() -> None:
    assert {s.stem for s in SOURCES} == SUBJECTS.keys()
    for source in SOURCES:
        kinds = {type(node) for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))}
        assert not kinds & {ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.AsyncFunctionDef}, source


def test_the_committed_notebooks_are_what_the_sources_say() -> None:
    labels = []
    for source in SOURCES:
        written = [cell.source for cell in jupytext.read(source, fmt="py:percent").cells]
        executed = cells_of(source.with_suffix(".ipynb"))
        assert written == ["".join(cell["source"]) for cell in executed], f"{source}: run make notebooks"
        assert source.with_suffix(".ipynb").stat().st_size < 400_000
        labels += [label for cell in executed if cell["cell_type"] == "code" and (label := label_of(cell))]
    assert len(labels) == len(set(labels)) and CELLS.keys() <= set(labels)


def test_the_first_cell_installs_from_the_projects_address() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})
    line = f'REPOSITORY = "{urls.get("Repository", "")}"'
    for source in SOURCES:
        first = next(c for c in jupytext.read(source, fmt="py:percent").cells if c.cell_type == "code")
        assert first.source.startswith(line) and "set REPOSITORY" in first.source, source


def test_a_failing_cell_is_named(tmp_path: Path) -> None:
    source = tmp_path / "bad.py"
    source.write_text("# %%\n1 / 0\n")
    with pytest.raises(UserError, match=r"bad.py failed: ZeroDivisionError"):
        execute(source, tmp_path / "bad.ipynb")
    assert not (tmp_path / "bad.ipynb").exists()


def test_train_trains_what_is_missing_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shrink: Callable[[Experiment], Experiment]
) -> None:
    real = sevenepochs.load_recipe
    monkeypatch.setattr(sevenepochs, "load_recipe", lambda name: shrink(real(name)).replace("training.epochs", 1))
    small = {name: plain_config(sevenepochs.load_recipe(name).to_dict()) for name in ("demo_sgd", "demo_adamw")}
    monkeypatch.setattr(configs, "_recipes", lambda: small)
    story = sevenepochs.open_story("train demo", "one", runs=tmp_path)
    trained = {run.recipe: run for run in list_runs(tmp_path)}
    assert trained.keys() == {"demo_sgd", "demo_adamw"}
    assert story.one.curve().svg and story.one.ask("next_token", "0_10").svg and "inputs (train)" in repr(story)
    sevenepochs.open_story("train demo", "one", runs=tmp_path)
    assert len(list_runs(tmp_path)) == 2
    beside = sevenepochs.open_story(trained["demo_adamw"].path, "one")
    assert beside.first.run is not None and beside.one.run is not None, "the run beside it plays its part"


def test_what_run_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="set RUN to"):
        sevenepochs.open_story("nowhere")
    with pytest.raises(UserError, match="no chapter 'three'"):
        sevenepochs.open_story("train", "three")
    assert sevenepochs.open_story("results").first.run is not None, "the repository's, from anywhere"
