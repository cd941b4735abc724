"""Commands and hints that are printed fit the place: what is installed, the shell, the clock, the number of choices."""

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sevenepochs import errors
from sevenepochs.cli import console
from sevenepochs.cli.main import main
from sevenepochs.cli.program import program
from sevenepochs.errors import UserError, command, install
from sevenepochs.export.folder import require
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.store.results import result_of
from sevenepochs.store.run import Run, RunWriter, find_run, layout, list_runs
from sevenepochs.training.hooks import Plan, Progress, Watcher
from sevenepochs.training.interrupt import Interrupted
from sevenepochs.training.trainer import run_training

SOURCE = Path(__file__).parents[1] / "src" / "sevenepochs"


def test_the_hint_to_install_an_extra_fits_a_wheel_and_a_checkout(monkeypatch):
    assert install("plots") == 'pip install -e ".[plots]" in the checkout'
    monkeypatch.setattr(errors, "__file__", "/lib/python3.11/site-packages/sevenepochs/errors.py")
    assert install("plots") == 'pip install "sevenepochs[plots]"'
    with pytest.raises(UserError, match=r'pip install "sevenepochs\[export\]"$'):
        require("no_such_package")


def test_every_hint_to_install_an_extra_comes_from_one_place():
    told = [file.name for file in SOURCE.glob("**/*.py") if re.search(r"pip install -e", file.read_text("utf-8"))]
    assert told == ["errors.py"]


def test_commands_with_blanks_and_quotes_can_be_pasted(tmp_path, tiny, monkeypatch):
    root = tmp_path / "my runs; it's"
    writer = RunWriter.create(root, "tiny", 1)
    writer.close()
    words = ["sevenepochs", "resume", str(writer.path)]
    assert shlex.split(command("resume", writer.path)) == words
    told = [str(Interrupted(writer.path))]
    with pytest.raises(UserError) as incomplete:
        result_of(Run(writer.path))
    told.append(str(incomplete.value).rstrip(")"))
    with pytest.raises(UserError) as missing:
        Run(writer.path).read_json(layout.CERTIFICATE)
    told.append(str(missing.value))
    for text in told:
        assert shlex.split(text[text.index("sevenepochs resume") :]) == words, text
    monkeypatch.setattr("sys.argv", [str(root / "sevenepochs"), "train"])
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert shlex.split(program()) == [str(root / "sevenepochs")]


def test_train_and_its_interruption_print_commands_that_can_be_pasted(tmp_path, monkeypatch, capsys):
    root = tmp_path / "my runs"
    small = [f"{key}={value}" for key, value in {
        "model.n_layer": 1, "model.d_model": 16, "batches.batch_size": 4, "batches.block_size": 32,
        "tokenizer.vocab_size": 300, "training.compile": "off", "training.device": "cpu",
        "training.epochs": 1}.items()]  # fmt: skip
    arguments = ["train", "demo_adamw", "--corpus", "sample:60", "--runs", str(root)]
    assert main([*arguments, *(word for setting in small for word in ("--set", setting))]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("look inside: "))
    (run,) = list_runs(root)
    assert shlex.split(line.removeprefix("look inside: "))[1:] == ["analyze", str(run.path)]

    def stopped(*_):
        raise Interrupted(run.path)

    monkeypatch.setattr("sevenepochs.training.trainer.run_training", stopped)
    assert main(arguments) == 130
    told = capsys.readouterr().err.strip()
    assert shlex.split(told.partition("resume with: ")[2])[1:] == ["resume", str(run.path)]


def test_no_message_puts_a_path_into_a_command_without_quotes():
    unquoted = re.compile(
        r"sevenepochs (resume|publish|analyze|train|eval|export|serve) [^\"']*\{(?!shlex)[^}]*(path|name)"
    )
    found = [f"{file.name}: {line.strip()}" for file in SOURCE.glob("**/*.py")
             for line in file.read_text("utf-8").splitlines() if unquoted.search(line)]  # fmt: skip
    assert found == []


class Speeds(Watcher):
    def __init__(self) -> None:
        self.told: list[float] = []

    def stepped(self, progress: Progress) -> None:
        self.told.append(progress.tokens_per_second)


def test_the_step_that_compiled_does_not_count_in_the_speed(tiny, tmp_path, monkeypatch):
    from sevenepochs.training import loop

    now, step = [0.0], [0]

    def slow_at_first(*arguments, **settings):
        step[0] += 1
        now[0] += 100.0 if step[0] == 1 else 1.0
        return real(*arguments, **settings)

    real = loop.training_step
    monkeypatch.setattr(loop, "training_step", slow_at_first)
    monkeypatch.setattr(loop, "evaluation_steps", lambda *_: [49])  # not after the first, as in a resumed run
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    speeds = Speeds()
    run_training(tiny, "tiny", tmp_path, speeds)
    assert speeds.told[0] == pytest.approx(8 * 32 / 100) and speeds.told[1:5] == pytest.approx([8 * 32] * 4)


def test_no_time_left_is_told_from_the_step_that_compiled(capsys):
    watcher = console.ConsoleWatcher(seconds=-1.0)
    watcher.started(Plan(Path("x"), 1, 6027, 861, 8192, 1))
    watcher.stepped(Progress(1, 9.0, 15.0, 500.0))
    watcher.stepped(Progress(2, 9.0, 12_000.0, 501.0))
    *_, first, second = capsys.readouterr().out.splitlines()
    assert "left" not in first and "tokens/s" not in first and "9.0000" in first
    assert "12,000 tokens/s" in second and "left" in second


def test_last_is_the_run_that_was_started_last_whatever_its_name_and_the_clock(tmp_path):
    ahead = datetime.now(UTC) + timedelta(hours=2)
    RunWriter.create(tmp_path, "ahead", 1, now=ahead).close()
    for recipe in ("second", "third"):
        RunWriter.create(tmp_path, recipe, 1).close()  # the clock was set right meanwhile
    assert [run.recipe for run in list_runs(tmp_path)] == ["ahead", "second", "third"]
    assert find_run("last", tmp_path).recipe == "third"
    with RunWriter.create(tmp_path, "later", 1, now=ahead + timedelta(hours=1)) as writer:
        path = writer.path
    path.rename(tmp_path / "0_my_best")
    assert find_run("last", tmp_path).name == "0_my_best"


def test_a_run_from_a_clock_ahead_has_no_negative_age(tmp_path, capsys):
    RunWriter.create(tmp_path, "ahead", 1, now=datetime.now(UTC) + timedelta(hours=2)).close()
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "clock" in printed and " ago" not in printed


def test_an_unknown_recipe_is_answered_with_the_nearest_three_and_the_command_that_lists_all():
    with pytest.raises(UserError) as error:
        load_recipe("adamv")
    told = str(error.value)
    named = [recipe.name for recipe in list_recipes() if f"'{recipe.name}'" in told]
    assert len(named) == 3 and "adamw" in named and "sevenepochs list" in told and len(told) < 200
