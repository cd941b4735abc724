"""Dashboards: they get what metrics.jsonl has, and whatever they do, the run goes on."""

import json
import signal
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from sevenepochs.cli.main import main
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.store.run import Run
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.interrupt import Interrupted
from sevenepochs.training.trackers import Mirror, TrackerName, flat
from sevenepochs.training.trainer import resume_training, run_training


class Recorder:
    """A stand-in for a dashboard's module: keeps what it is told, fails where it is told to."""

    def __init__(self, fails_at: str | None = None) -> None:
        self.fails_at, self.calls = fails_at, []  # type: ignore[var-annotated]

    def _call(self, call: str, /, *arguments: Any, **named: Any) -> None:
        self.calls.append((call, arguments, named))
        if call == self.fails_at and (call != "log" or len(self.rows()) == 3):
            raise ConnectionError("the dashboard is on fire\nand more")

    def rows(self) -> list[tuple[int, dict[str, float]]]:
        return [(named["step"], arguments[0]) for name, arguments, named in self.calls if name == "log"]

    def module(self, name: str) -> types.ModuleType:
        module = types.ModuleType(name)
        module.__spec__ = types.SimpleNamespace(name=name)  # type: ignore[assignment]
        module.init = lambda **k: self._call("init", **k)  # type: ignore[attr-defined]
        module.log = lambda *a, **k: self._call("log", *a, **k)  # type: ignore[attr-defined]
        module.finish = lambda *a, **k: self._call("finish", *a, **k)  # type: ignore[attr-defined]
        module.Settings = dict  # type: ignore[attr-defined]
        return module


class Messages(Watcher):
    """Keeps messages, and can ask for a stop."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.texts: list[str] = []
        self.stop_at = stop_at

    def message(self, text: str) -> None:
        self.texts.append(text)

    def stepped(self, progress: Any) -> None:
        if progress.step == self.stop_at:
            signal.raise_signal(signal.SIGINT)


def install(monkeypatch: pytest.MonkeyPatch, name: str, fails_at: str | None = None) -> Recorder:
    recorder = Recorder(fails_at)
    monkeypatch.setitem(sys.modules, name, recorder.module(name))
    return recorder


@pytest.fixture(scope="module")
def short(tiny: Experiment) -> Experiment:
    return tiny.replace("training.epochs", 1)


@pytest.fixture(scope="module")
def untracked(short: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_training(short, "tiny", tmp_path_factory.mktemp("untracked"))


def metric_rows(run_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run_path / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_a_dashboard_gets_every_row_and_the_config(
    name: TrackerName, short: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = install(monkeypatch, name)
    run = run_training(short, "tiny", tmp_path, Mirror(Messages(), name))
    rows = metric_rows(run.path)
    assert len(recorder.rows()) == len(rows) > 7
    for (step, values), row in zip(recorder.rows(), rows, strict=True):
        assert step == row["step"]
        assert values == {k: v for k, v in row.items() if k not in ("step", "event") and v is not None}
    assert any("exact_val_loss" in values for _, values in recorder.rows())
    (first, _, init), last = recorder.calls[0], recorder.calls[-1]
    assert (first, last[0]) == ("init", "finish")
    assert init["name"] == run.name and init["config"]["optimizer.lr"] == 5e-4


@pytest.mark.parametrize("fails_at", ["init", "log", "finish"])
def test_a_failing_dashboard_is_told_of_once_and_the_run_is_the_same(
    fails_at: str, short: Experiment, untracked: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, "trackio", fails_at)
    messages = Messages()
    run = run_training(short, "tiny", tmp_path, Mirror(messages, "trackio"))
    (line,) = (text for text in messages.texts if "--track" in text)
    assert "--track trackio" in line and "ConnectionError: the dashboard is on fire" in line and "\n" not in line
    assert run.summary is not None and untracked.summary is not None
    assert run.summary["figures"] == untracked.summary["figures"]


def test_a_resumed_run_sends_only_what_is_new(
    short: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = install(monkeypatch, "wandb")
    with pytest.raises(Interrupted):
        run_training(short, "tiny", tmp_path, Mirror(Messages(stop_at=3), "wandb"))
    [path] = tmp_path.iterdir()
    second = install(monkeypatch, "wandb")
    resume_training(Run(path), short, Mirror(Messages(), "wandb"))
    sent = [*first.rows(), *second.rows()]
    assert [step for step, _ in sent] == [row["step"] for row in metric_rows(path)]
    assert second.calls[0][2]["resume"] == "allow"


def test_a_dashboard_that_is_not_installed_is_said_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install wandb"):
        Mirror(Watcher(), "wandb")
    assert main(["train", "demo_sgd", "--track", "trackio", "--runs", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --track trackio ") and error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_settings_are_flat() -> None:
    assert flat({"a": {"b": 1, "c": {"d": 2}}, "e": None}) == {"a.b": 1, "a.c.d": 2, "e": None}
