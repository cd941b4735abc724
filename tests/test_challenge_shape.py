"""The repository stands where a fork of the challenge would: its tasks, its script, its log."""

import json
import re
from pathlib import Path

import pytest
import yaml

from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.protocol import budget
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.store.run import Run, layout

ROOT = Path(__file__).parents[1]


def make_targets() -> dict[str, list[str]]:
    """Target -> its commands."""
    targets: dict[str, list[str]] = {}
    name = ""
    for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"([a-z-]+):", line):
            name = found[1]
            targets[name] = []
        elif line.startswith("\t") and name:
            targets[name].append(line.strip().lstrip("@"))
    return targets


def test_every_task_is_a_make_target() -> None:
    taskfile = yaml.safe_load((ROOT / "Taskfile.yml").read_text(encoding="utf-8"))
    assert taskfile["version"] == "3"
    assert set(taskfile["tasks"]) == {"download", "train", "demo", "test"}
    for name, task in taskfile["tasks"].items():
        (command,) = task["cmds"]
        assert command.split()[:2] == ["make", name] and task["desc"]
        assert make_targets()[name], f"make {name} does nothing"


def test_task_train_runs_the_record_recipe_under_the_rules_on_the_hub_corpus() -> None:
    assert make_targets()["train"] == ["$(BIN)/python train.py $(ARGS)"]
    assert "RECORD_RECIPE" in (ROOT / "train.py").read_text(encoding="utf-8")  # what it runs is tested with the CLI
    experiment = load_recipe(RECORD_RECIPE)
    assert isinstance(experiment.corpus, HubCorpus)
    assert (experiment.training.epochs, experiment.training.seed) == (7, 1337)
    assert (budget.NUM_TITLES, budget.VAL_FRACTION, budget.DATA_SEED) == (100_000, 0.10, 1337)


def test_the_documents_fields_are_the_logs(finished_run: Run) -> None:
    document = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    for event in read_log(finished_run.path / layout.MAINRUN_LOG):
        (row,) = [line for line in document.splitlines() if line.startswith(f"| `{event['event']}`")]
        fields = row.replace("`", " ").replace(",", " ").split()
        assert set(event) - {"event", "timestamp"} <= set(fields), event["event"]


# An independent reader, as a fork's plotting script has it: nothing of ours.


def read_log(path: Path) -> list[dict]:
    with open(path) as file:
        return [json.loads(line) for line in file]


def test_our_log_reads_as_the_challenges(finished_run: Run) -> None:
    events = read_log(finished_run.path / layout.MAINRUN_LOG)
    opening = ["hyperparameters_configured", "device_info", "dataset_info", "model_info"]
    assert [event["event"] for event in events[:4]] == opening
    times = [event["timestamp"] for event in events]
    assert times == sorted(times) and times[0] > 1_600_000_000
    hyperparameters, dataset = events[0], events[2]
    assert (hyperparameters["epochs"], hyperparameters["seed"], hyperparameters["val_frac"]) == (7, 1337, 0.1)
    train = [event for event in events if event["event"] == "training_step"]
    validation = [event for event in events if event["event"] == "validation_step"]
    assert len(train) + len(validation) == len(events) - 4
    max_steps = dataset["batches_per_epoch"] * dataset["epochs"]
    assert [event["step"] for event in train] == list(range(1, max_steps + 1))
    assert {event["max_steps"] for event in [*train, *validation]} == {max_steps}
    interval = dataset["batches_per_epoch"] // hyperparameters["evals_per_epoch"]
    due = [s for s in range(1, max_steps + 1) if s == 1 or s % interval == 0 or s == max_steps]
    assert [event["step"] for event in validation] == due
    for event in [*train, *validation]:
        assert isinstance(event["loss"], float) and 0 < event["loss"] < 20
        assert event["elapsed_time"] >= 0
    elapsed = [event["elapsed_time"] for event in train]
    assert elapsed == sorted(elapsed)
    assert train[-1]["loss"] < train[0]["loss"] and validation[-1]["loss"] < validation[0]["loss"]


def test_its_last_loss_is_the_stock_rules(finished_run: Run) -> None:
    last = [e for e in read_log(finished_run.path / layout.MAINRUN_LOG) if e["event"] == "validation_step"][-1]
    assert finished_run.summary is not None
    figures = finished_run.summary["figures_run_precision"]
    assert last["loss"] == pytest.approx(figures["official_val_loss_own_geometry"], abs=1e-12)
