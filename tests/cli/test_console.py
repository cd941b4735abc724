"""What a run prints: everything promised in 80 columns, and commands that can be copied."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from sevenepochs.cli import console as module
from sevenepochs.cli.program import program
from sevenepochs.training.hooks import Plan, Progress

PLAN = Plan(
    run_path=Path("runs/x"),
    first_step=1,
    n_steps=6027,
    steps_per_epoch=861,
    targets_per_step=8192,
    parameters=27_172_864,
)


@pytest.mark.parametrize(("columns", "has_bar"), [(80, False), (140, True)])
def test_the_live_line_is_whole(columns: int, has_bar: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=columns, color_system=None, legacy_windows=False)
    monkeypatch.setattr(module, "console", terminal)
    watcher = module.ConsoleWatcher()
    watcher.started(PLAN)
    watcher.evaluated(1, {"exact_val_loss": 1.43717, "official_val_loss_own_geometry": 1.4})
    watcher.stepped(Progress(6026, 10.42631, 12_439.0, 100.0))
    watcher.finished()
    last = re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).strip())[-1]
    for part in ("epoch 7/7", "6026/6027", "10.4263 nats/token", "12,439 tokens/s", "1 s left", "exact 1.4372"):
        assert part in last, last
    assert ("━" in last) is has_bar


def test_figures_have_the_names_and_units_that_other_tables_have(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"val_scored_fraction": 0.954, "official_val_loss_own_geometry": 0.5306}
    module.console.print(module.figures_table({"fp32": figures}))
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert rows[1:] == ["official own 0.5306 nats/char", "scored 95.4%"]


def test_durations_have_a_unit() -> None:
    seconds = (40, 52 * 60 + 16, 3.2 * 3600, 50 * 3600)
    assert [module.duration(each) for each in seconds] == ["40 s", "52 min", "3.2 h", "2 days"]


def test_commands_are_printed_as_the_shell_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/sevenepochs", "demo"])
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert program() == ".venv/bin/sevenepochs"
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/sevenepochs")
    assert program() == "sevenepochs"
    monkeypatch.setattr("sys.argv", ["/somewhere/sevenepochs/__main__.py", "demo"])
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert program() == "sevenepochs"
