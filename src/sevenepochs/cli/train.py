"""`train` and `resume`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from sevenepochs.cli.console import ConsoleWatcher, console, duration, figures_table, heading
from sevenepochs.cli.options import (
    Batch,
    Changes,
    Folders,
    Number,
    Positional,
    Proxy,
    Recipe,
    RunName,
    Runs,
    SideBySide,
    Titles,
    Track,
    Within,
    experiment_from,
)
from sevenepochs.cli.program import is_first_process, is_only_process, program
from sevenepochs.cli.within import choose, seconds_in
from sevenepochs.data.corpus.development import moved
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.questions.terminal import table
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.store.results import list_results
from sevenepochs.store.run import Run
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.trackers import Mirror

if TYPE_CHECKING:
    from sevenepochs.campaign.jobs import Planned


def train(
    recipe: Positional[Recipe] = RECORD_RECIPE,
    *,
    titles: Titles,
    changes: Changes,
    side_by_side: SideBySide,
    proxy: Proxy = False,
    within: Within = None,
    seeds: Number = None,
    track: Track = None,
    folders: Folders,
) -> None:
    """Train a recipe for seven epochs and print its figures.

    Several GPUs share each batch with: torchrun --standalone --nproc-per-node N -m sevenepochs train RECIPE

    Args:
        seeds: Have a run of each of so many seeds, from 1337 on; those that are in the runs' folder are not repeated.
    """
    if within is not None:
        if recipe != RECORD_RECIPE or proxy or changes.settings or not is_only_process():
            raise UserError("--within chooses the recipe: leave out RECIPE, --proxy, --set and torchrun")
        recipe = _chosen(within, titles, folders.results)
    if seeds is not None:
        for option, value in (("--seed", changes.seed), ("--track", track)):
            if value is not None:
                raise UserError(f"{option} is for one run, and --seeds for several from 1337 on: choose one of them")
        _train_seeds(recipe, seeds, Batch(titles, folders, side_by_side, proxy, changes.as_settings()))
        return
    if side_by_side != SideBySide():
        raise UserError("--workers and --ray are for several runs: add --seeds 3")
    from sevenepochs.campaign.proxy import at_proxy_scale, proxy_name
    from sevenepochs.training.trainer import run_training

    watcher = _watcher(track)
    experiment = experiment_from(recipe, titles, changes.as_settings(), changes.seed)
    if proxy:
        recipe, experiment = proxy_name(recipe), at_proxy_scale(experiment)
    _print_figures(run_training(experiment, recipe, folders.runs, watcher, changes.as_settings()))


def _train_seeds(recipe: str, seeds: int, batch: Batch) -> None:
    from sevenepochs.campaign.jobs import NO_RESULTS, plan

    def announce(index: int, one: Planned) -> None:
        heading(f"{index + 1}/{seeds}: seed {one.job.seed}")

    jobs = batch.jobs(recipe, seeds, "--seeds")
    planned = batch.execute(plan(jobs, batch.folders.runs, NO_RESULTS), announce)
    listed = table(("run", ">seed", "state", ">exact"))
    for one in planned:
        exact = format_metric("exact_val_loss", one.result.exact) if one.result is not None else "-"
        run = one.result.run if one.result is not None else one.run
        listed.add_row(run.name if run is not None else one.job.name, str(one.job.seed), one.state, exact)
    console.print(listed)


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
