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
    floor_nats_per_char=None,
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
    for part in ("epoch 7/7", "6026/6027", "10.4263 nats/token", "12,439 tokens/s", "0:01 left", "exact 1.4372"):
        assert part in last, last
    assert ("━" in last) is has_bar


def test_commands_are_printed_as_the_shell_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/sevenepochs", "demo"])
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert program() == ".venv/bin/sevenepochs"
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/sevenepochs")
    assert program() == "sevenepochs"
    monkeypatch.setattr("sys.argv", ["/somewhere/sevenepochs/__main__.py", "demo"])
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert program() == "sevenepochs"
