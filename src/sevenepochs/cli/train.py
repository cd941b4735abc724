"""`train` and `resume`."""

from __future__ import annotations

import shlex
from pathlib import Path

from sevenepochs.cli.console import ConsoleWatcher, console, duration, figures_table
from sevenepochs.cli.options import (
    Changes,
    Folders,
    Positional,
    Proxy,
    Recipe,
    RunName,
    Runs,
    Titles,
    Track,
    Within,
    experiment_from,
)
from sevenepochs.cli.program import is_first_process, is_only_process, program
from sevenepochs.cli.within import choose, seconds_in
from sevenepochs.data.corpus.development import moved
from sevenepochs.errors import UserError
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.store.results import list_results
from sevenepochs.store.run import Run
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.trackers import Mirror


def train(
    recipe: Positional[Recipe] = RECORD_RECIPE,
    *,
    titles: Titles,
    changes: Changes,
    proxy: Proxy = False,
    within: Within = None,
    track: Track = None,
    folders: Folders,
) -> None:
    """Train a recipe for seven epochs and print its figures.

    Several GPUs share each batch with: torchrun --standalone --nproc-per-node N -m sevenepochs train RECIPE
    """
    if within is not None:
        if recipe != RECORD_RECIPE or proxy or changes.settings or not is_only_process():
            raise UserError("--within chooses the recipe: leave out RECIPE, --proxy, --set and torchrun")
        recipe = _chosen(within, titles, folders.results)
    from sevenepochs.campaign.proxy import at_proxy_scale, proxy_name
    from sevenepochs.training.trainer import run_training

    watcher = _watcher(track)
    experiment = experiment_from(recipe, titles, changes.as_settings(), changes.seed)
    if proxy:
        recipe, experiment = proxy_name(recipe), at_proxy_scale(experiment)
    _print_figures(run_training(experiment, recipe, folders.runs, watcher, changes.as_settings()))


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


def _chosen(within: str, titles: Titles, results: Path) -> str:
    """The best recipe for the time, after a line that says why."""
    from sevenepochs.training.estimate import estimate

    def seconds_of(recipe: str) -> float:
        return float(estimate(experiment_from(recipe, titles, ()), may_download=True)["seconds_range"][1])

    recipe, why = choose(seconds_in(within), list_results(results), seconds_of)
    console.print(why, markup=False)
    return recipe


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
