"""`demo`, `train` and `resume`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from sevenepochs.cli.console import ConsoleWatcher, console, duration, figures_table, heading
from sevenepochs.cli.options import (
    Changes,
    Positional,
    Proxy,
    Recipe,
    RunName,
    Runs,
    RunsFolder,
    Titles,
    Track,
    experiment_from,
)
from sevenepochs.cli.program import is_first_process, program
from sevenepochs.data.corpus.development import moved
from sevenepochs.metrics import format_metric
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.store.run import Run
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.trackers import Mirror


def demo(runs: RunsFolder = Path("runs")) -> None:
    """Train two small recipes on the embedded corpus and compare them with its floor (some minutes)."""
    from sevenepochs.training.trainer import run_training

    figures: dict[str, Any] = {}
    for recipe in ("demo_sgd", "demo_adamw"):
        experiment = load_recipe(recipe)
        heading(f"{recipe}: {type(experiment.optimizer).__name__}, lr {experiment.optimizer.lr:g}")  # type: ignore[attr-defined]
        run = run_training(experiment, recipe, runs, ConsoleWatcher())
        assert run.summary is not None, "training returns complete runs only"
        figures[recipe] = run.summary["figures"]
    heading("both, on the same validation titles")
    console.print(figures_table(figures))
    excess = format_metric("excess_val_loss", figures["demo_adamw"]["excess_val_loss"], unit=True)
    console.print(
        "\nThe titles come from a grammar whose probabilities are known, so the least possible loss on them is known"
        f" too: the floor.\ndemo_adamw is {excess} above it. No model that predicts fairly gets below it.\n\nNext:",
        markup=False,
    )
    where = "" if runs == Path("runs") else f" --runs {shlex.quote(str(runs))}"
    for what, command in (
        ("what it expects after a beginning", f'predict last --text "Show HN: A"{where}'),
        ("change one thing; then runs and compare", "train demo_adamw --set optimizer.lr=4e-3"),
        ("what a full-size run takes here", "show adamw --corpus sample"),
    ):
        console.print(f"  {what}\n    {program()} {command}", markup=False, soft_wrap=True)


def train(
    recipe: Positional[Recipe] = RECORD_RECIPE,
    *,
    titles: Titles,
    changes: Changes,
    proxy: Proxy = False,
    track: Track = None,
    runs: RunsFolder = Path("runs"),
) -> None:
    """Train a recipe for seven epochs and print its figures.

    Several GPUs share each batch with: torchrun --standalone --nproc-per-node N -m sevenepochs train RECIPE
    """
    from sevenepochs.campaign.proxy import at_proxy_scale, proxy_name
    from sevenepochs.training.trainer import run_training

    watcher = _watcher(track)
    experiment = experiment_from(recipe, titles, changes.settings, changes.seed)
    if proxy:
        recipe, experiment = proxy_name(recipe), at_proxy_scale(experiment)
    _print_figures(run_training(experiment, recipe, runs, watcher, changes.settings))


def resume(run: Positional[RunName], *, titles: Titles, runs: Runs, track: Track = None) -> None:
    """Go on with an interrupted run from its last checkpoint, under torchrun if it began so (see `train`).

    --corpus says where the run's titles are now, if they moved.
    """
    from sevenepochs.experiment import Experiment
    from sevenepochs.training.trainer import resume_training

    corpus = titles.config()
    found = runs.find(run)
    experiment = Experiment.from_dict(found.config)
    if corpus is not None:
        experiment = experiment.replace("corpus", moved(experiment.corpus, corpus))
    _print_figures(resume_training(found, experiment, _watcher(track)))


def _watcher(track: Track) -> Watcher:
    """The console's, with a dashboard behind it where one is asked for. Raises at once where that is not installed."""
    return ConsoleWatcher() if track is None else Mirror(ConsoleWatcher(), track)


def _print_figures(run: Run) -> None:
    if not is_first_process():
        return
    summary, certificate = run.summary, run.certificate
    assert summary is not None and certificate is not None, "training returns complete runs only"
    console.print(figures_table({"fp32": summary["figures"], "as trained": summary["figures_run_precision"]}))
    if certificate["clean"]:
        console.print("certificate: clean, every rule of the protocol held")
    for rule in certificate["rules"]:
        if not rule["ok"]:
            console.print(f"certificate: rule broken: {rule['rule']} ({rule['detail']})", style="red")
    took = f"{duration(summary['elapsed_seconds'])} for {summary['n_steps']:,} steps"
    console.print(f"{took}; all of it is in {run.path}")
    name = shlex.quote(str(run.name if run.path.parent == Path("runs") else run.path))
    console.print(f"look inside: {program()} analyze {name}", style="dim", markup=False, soft_wrap=True)
