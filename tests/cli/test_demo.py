"""`demo`: three models beside their floor, their curves, and commands that work as printed."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from sevenepochs.cli.demo import RECIPES, drawn
from sevenepochs.cli.main import main
from sevenepochs.experiment import Experiment
from sevenepochs.metrics import format_metric
from sevenepochs.recipes import catalog
from sevenepochs.store.run import list_runs


def test_three_models_their_floor_and_three_commands_that_work(
    shrink: Callable[[Experiment], Experiment],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sevenepochs.cli.demo.load_recipe", lambda name: shrink(catalog.load_recipe(name)))
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    runs = list_runs(Path("runs"))
    assert {run.recipe for run in runs} == set(RECIPES)  # folders of one second are in the order of their names
    for run in runs:
        assert run.summary is not None
        for figure in ("exact_val_loss", "excess_val_loss", "floor_val_loss"):
            assert format_metric(figure, run.summary["figures"][figure]) in printed
    commands = re.findall(r"^    sevenepochs (.*)$", printed.partition("Next:")[2], flags=re.MULTILINE)
    assert len(commands) == 3 and printed.rstrip().endswith(commands[-1])
    for command in commands:
        assert main(shlex.split(command)) == 0


def test_curves_are_drawn_on_a_logarithmic_scale_above_the_floor() -> None:
    *lines, axis, epochs = drawn({"S": [(0.0, 4.0), (7.0, 2.0)], "A": [(0.0, 4.0), (7.0, 0.25)]}, 0.25)
    rows = [line.partition("|")[2] for line in lines]
    assert rows[0][0] == "A" and rows[-1][-1] == "A" and set(rows[-1][:-1]) <= {".", "A"}
    (halved,) = (i for i, row in enumerate(rows) if row[-1] == "S")
    assert halved == round((len(rows) - 1) / 4)  # 4 to 2, of 4 to 0.25
    assert lines[0].split()[0] == "4.0000" and lines[-1].split()[0] == "0.2500"
    assert len({len(line) for line in [*lines, axis, epochs]}) == 1 and epochs.split()[1:] == [*"01234567"]
