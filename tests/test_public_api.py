"""`import sevenepochs`: names stay functions, runs carry their recipe's name, progress goes where people look."""

import contextlib
import importlib
import os
import pkgutil
import shutil
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import nbclient
import nbformat
import pytest

import sevenepochs
from sevenepochs.campaign.proxy import at_proxy_scale
from sevenepochs.cli.console import watcher_here
from sevenepochs.recipes.catalog import settings_of
from sevenepochs.store.results import result_of
from sevenepochs.training.hooks import Progress, Watcher
from sevenepochs.training.interrupt import Interrupted

SOURCE = Path(__file__).parents[1] / "src"


def test_no_module_has_the_name_of_a_public_function() -> None:
    modules = {module.name for module in pkgutil.iter_modules(sevenepochs.__path__)}
    assert not modules & set(sevenepochs.__all__)


def test_a_public_name_stays_itself_after_every_module_was_imported() -> None:
    for module in pkgutil.walk_packages(sevenepochs.__path__, "sevenepochs."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    assert [name for name in sevenepochs.__all__ if not callable(getattr(sevenepochs, name))] == []


def test_an_experiment_keeps_its_recipes_name(shrink, tmp_path):
    experiment = shrink(sevenepochs.load_recipe("adamw")).replace_all({"optimizer.lr": 1e-3, "training.epochs": 1})
    run = sevenepochs.train(experiment, runs=tmp_path)
    assert run.recipe == "adamw" and "_adamw_s1337" in run.name
    command = result_of(run).facts.command
    assert command.startswith("sevenepochs train adamw ") and "--set optimizer.lr=0.001" in command
    assert "recipe" not in run.config and shrink(sevenepochs.load_recipe("demo_sgd")).recipe == "demo_sgd"


def test_the_settings_of_a_run_from_python_make_its_experiment_again():
    experiment = sevenepochs.load_recipe("baseline").replace_all(
        {"optimizer": "optim.adamw:AdamW", "optimizer.lr": 0.5, "model.n_layer": 1, "training.precision": "fp32"}
    )
    settings = settings_of(experiment)
    again = sevenepochs.load_recipe("baseline").replace_all(dict(s.split("=", 1) for s in settings))
    assert again == experiment and "model.n_layer=1" in settings
    assert settings_of(sevenepochs.load_recipe("letters")) == []


def test_an_experiment_at_proxy_scale_is_not_called_like_a_full_one():
    assert at_proxy_scale(sevenepochs.load_recipe("adamw")).recipe == "adamw-proxy"


class Stopping(Watcher):
    def stepped(self, progress: Progress) -> None:
        if progress.step == 9:
            os.kill(os.getpid(), signal.SIGINT)


def test_resume_goes_on_by_run_by_folder_and_by_last(tiny, tmp_path):
    with pytest.raises(Interrupted) as stopped:
        sevenepochs.train(tiny.replace("training.epochs", 2), runs=tmp_path / "stopped", watcher=Stopping())
    for how in ("run", "folder", "last"):
        path = Path(shutil.copytree(stopped.value.run_path, tmp_path / how / stopped.value.run_path.name))
        told = {"run": sevenepochs.Run(path), "folder": path, "last": "last"}[how]
        run = sevenepochs.resume(told, runs=tmp_path / how)
        assert run.state == "complete" and run.path == path
    with pytest.raises(sevenepochs.UserError, match="complete"):
        sevenepochs.resume("last", runs=tmp_path / "last")
    assert sevenepochs.evaluate("last", runs=tmp_path / "last")["run"] == run.name


@pytest.mark.parametrize(
    ("is_terminal", "is_notebook", "progress", "expected"),
    [
        (True, False, None, 15),
        (False, True, None, 60),
        (False, False, None, None),
        (False, False, True, 15),
        (True, False, False, None),
        (False, True, False, None),
    ],
)
def test_progress_goes_to_terminals_and_notebooks(monkeypatch, is_terminal, is_notebook, progress, expected):
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal, raising=False)
    shell = SimpleNamespace(**({"kernel": None} if is_notebook else {}))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert getattr(watcher_here(progress), "seconds", None) == expected


def test_train_prints_progress_in_a_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    code = (
        "import sevenepochs\n"
        "tiny = sevenepochs.load_recipe('demo_adamw', corpus='sample:60').replace_all({'model.n_layer': 1,\n"
        "    'model.d_model': 16, 'batches.batch_size': 4, 'batches.block_size': 32, 'tokenizer.vocab_size': 300,\n"
        "    'training.compile': 'off', 'training.device': 'cpu'})\n"
        "run = sevenepochs.train(tiny)\n"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(output.get("text", "") for output in notebook.cells[0].outputs)
    assert "parameters" in printed and "exact" in printed and "\x1b" not in printed
    assert list((tmp_path / "runs").glob("*_demo_adamw_s1337"))
