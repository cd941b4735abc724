"""What an earlier version wrote is read, resumed, compared and converted.

tests/fixtures/before_kinds was written at d996993, the last commit whose kinds were module:Class: a complete run, the
same one stopped after 20 steps, its result, and the configurations of all results published by then.
"""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from sevenepochs.ask.model import Model
from sevenepochs.cli.main import main
from sevenepochs.config.old_configs import _GONE, _LATER, OLD_KINDS, present_form
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.learning.settings import Training
from sevenepochs.model.attention import Causal
from sevenepochs.model.position import Rope
from sevenepochs.model.titles import Titles
from sevenepochs.report.config_diff import n_changes
from sevenepochs.store.choosing import NOT_OF_A_RECIPE, recipe_key
from sevenepochs.store.publishing import publish
from sevenepochs.store.results import Result, list_results, result_of
from sevenepochs.store.run import Run, list_runs
from sevenepochs.store.run.convert import convert
from sevenepochs.store.run.convert import main as convert_main
from sevenepochs.training.trainer import resume_training

BEFORE = Path(__file__).parent / "fixtures" / "before_kinds"
PUBLISHED = [
    result for result in list_results(Path(__file__).parents[1] / "results") if result.facts.track != "ensemble"
]
SAVED = json.loads((BEFORE / "configs_of_results.json").read_text(encoding="utf-8"))


def old_config(name: str) -> dict:
    """A published result's config as it was before the conversion."""
    number, seed = SAVED["of"][name]
    config = json.loads(json.dumps(SAVED["configs"][number]))
    config["training"]["seed"] = seed
    return config


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return shutil.copytree(BEFORE, tmp_path / "before")


def runs_of(folder: Path) -> tuple[Run, Run]:
    complete, stopped = list_runs(folder / "runs")
    return complete, stopped


def test_the_fixture_is_of_before() -> None:
    assert len(SAVED["of"]) == 58
    assert all(":" in config["kind"] and ":" in config["model"]["kind"] for config in SAVED["configs"])


@pytest.mark.parametrize("result", PUBLISHED, ids=lambda result: result.name)
def test_every_published_config_says_what_the_present_package_reads_in_it(result: Result) -> None:
    present = Experiment.from_dict(result.config).to_dict()
    assert result.config == present and n_changes(result.config, present) == 0


@pytest.mark.parametrize("name", SAVED["of"])
def test_the_old_form_of_a_published_config_is_the_same_experiment(name: str) -> None:
    old = old_config(name)
    experiment = Experiment.from_dict(old)
    assert present_form(old) == experiment.to_dict()
    assert Experiment.from_dict(present_form(old)) == experiment
    for now in [result for result in PUBLISHED if result.name == name]:
        assert Experiment.from_dict(now.config) == experiment
        assert recipe_key(now) == recipe_key(Result(None, dataclasses.replace(now.facts, config=present_form(old))))


def test_what_a_config_means_by_silence_are_the_defaults_of_the_classes() -> None:
    plain = Experiment().to_dict()
    file = Experiment(corpus=FileCorpus("titles.txt")).to_dict()["corpus"]
    slots = [plain, plain["training"], plain["model"], plain["model"]["attention"], plain["model"]["mlp"], file]
    by_kind = {slot["kind"]: slot for slot in slots}
    for kind, fields in _LATER.items():
        assert {name: by_kind[kind][name] for name in fields} == fields


def test_what_a_config_says_stays() -> None:
    config = {"kind": "settings:Training", "snapshots": True, "micro_batches": 4, "seed": 3}
    for kind in ("settings:Training", "training"):  # a new config may be of before a setting, too
        present = present_form({**config, "kind": kind})
        assert present == {**config, "kind": "training", "checkpoint_seconds": Training().checkpoint_seconds}
    for foreign in ({"a": {"kind": "x"}}, {"kind": "smear_1a2b3c4d:Smear", "initial": 0.1}, Experiment().to_dict()):
        assert present_form(foreign) == foreign


GONE = [
    (Causal, "model.attention.causal:Causal", "causal", "qk_norm", {"kind": "qk_norm"}),
    (Titles, "model.titles:Titles", "titles", "eos", "closes"),
    (Titles, "model.titles:Titles", "titles", "mask", False),
    (Titles, "model.titles:Titles", "titles", "restart_positions", True),
]


@pytest.mark.parametrize(("cls", "old", "new", "name", "other"), GONE)
def test_a_setting_that_is_gone_is_read_where_it_did_nothing(cls, old: str, new: str, name: str, other: object) -> None:
    plain = cls().to_dict()
    for kind in (old, new):
        config = {**plain, "kind": kind, **_GONE[new]}
        assert present_form(config) == plain and cls.from_dict(config) == cls()
        with pytest.raises(UserError, match=name):
            cls.from_dict({**config, name: other})


def test_every_setting_that_is_gone_was_checked() -> None:
    assert {(new, name) for _, _, new, name, _ in GONE} == {(k, name) for k, gone in _GONE.items() for name in gone}


def test_what_is_not_of_a_recipe_are_settings_of_training() -> None:
    assert set(NOT_OF_A_RECIPE) <= {field.name for field in dataclasses.fields(Training)}


def test_an_old_run_is_loaded(before: Path) -> None:
    run, _ = runs_of(before)
    experiment = Model.load(run).experiment
    assert run.config == experiment.to_dict() and experiment.model.attention.rotary == Rope()  # type: ignore[attr-defined]
    file = run.path / "config.json"
    config = json.loads(file.read_text())
    for slot in (config, config["training"], config["model"], config["model"]["attention"], config["model"]["mlp"]):
        for name in _LATER[OLD_KINDS[slot["kind"]]]:
            slot.pop(name, None)  # some came after the fixture
    file.write_text(json.dumps(config))
    assert Model.load(run).experiment == experiment and run.config == experiment.to_dict()


def test_an_old_run_is_resumed_and_compares_with_old_ones(before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    complete, stopped = runs_of(before)
    assert (complete.state, stopped.state) == ("complete", "interrupted")
    resumed = resume_training(stopped, Experiment.from_dict(stopped.config))
    assert resumed.summary is not None and complete.summary is not None
    exact = [run.summary["figures"]["exact_val_loss"] for run in (complete, resumed)]
    assert exact[1] == pytest.approx(exact[0], rel=1e-3)  # to the bit on the machine that wrote the fixture
    (old,) = list_results(before / "results")
    assert recipe_key(result_of(resumed)) == recipe_key(old) == recipe_key(result_of(complete))
    assert old.facts.command == result_of(resumed).facts.command
    publish(resumed, before / "results")  # refused in the place of a result of another recipe
    assert main(["compare", str(complete.path), str(resumed.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_the_conversion_changes_kinds_and_settings_that_came_or_went_and_nothing_else(before: Path) -> None:
    files = sorted([*before.glob("runs/*/config.json"), *before.glob("results/*/result.json")])
    texts = {file: file.read_text(encoding="utf-8").splitlines() for file in files}
    others = {file: file.read_bytes() for file in before.rglob("*") if file.is_file() and file not in files}
    configs = [run.config for run in runs_of(before)]
    assert convert(before) == files
    later = {name for fields in _LATER.values() for name in fields}
    for file, lines in texts.items():
        now = file.read_text(encoding="utf-8")
        before_lines, now_lines = ({line.rstrip(",") for line in text} for text in (lines, now.splitlines()))
        gone, come = before_lines - now_lines, now_lines - before_lines
        assert {line.split('"')[1] for line in gone} == {"kind", "qk_norm"}
        assert {line.split('"')[1] for line in come} <= {"kind", *later}
        assert not any(f'"kind": "{kind}"' in now for kind in OLD_KINDS)
        assert now.endswith("}\n") and not now.endswith("\n\n")
    assert others == {file: file.read_bytes() for file in before.rglob("*") if file.is_file() and file not in files}
    assert [run.config for run in runs_of(before)] == configs == [json.loads(file.read_text()) for file in files[1:]]
    stamps = [file.stat().st_mtime_ns for file in files]
    assert convert(before) == [] and [file.stat().st_mtime_ns for file in files] == stamps


def test_a_mistake_in_a_conversion_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "result.json").write_text("[]")
    for arguments in ([], [str(tmp_path / "nothing")], [str(tmp_path)]):
        assert convert_main(arguments) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and error.endswith("\n")
