"""`noise`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import tyro

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Folders, Json, Positional, Settings, Titles

if TYPE_CHECKING:
    from sevenepochs.comparison.noise import SeedNoise

Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[RECIPE|RUN ...]")]


def noise(
    recipes: Positional[Names] = (),
    train: int = 0,
    *,
    titles: Titles,
    folders: Folders,
    proxy: bool = False,
    settings: Settings = (),
    json: Json = False,
) -> None:
    """Measure how far the loss moves when only the seed changes, and keep it in results/noise.json for compare.

    Args:
        recipes: Recipes, or run folders of one recipe; every recipe with two seeds or more by default.
        train: Train what is missing to this number of seeds, from 1337 on.
        proxy: At proxy scale.
    """
    from sevenepochs.campaign.jobs import execute, jobs_for, plan, results_of
    from sevenepochs.campaign.proxy import proxy_name
    from sevenepochs.cli.console import ConsoleWatcher, console, errors
    from sevenepochs.cli.ladder_views import show_unfinished
    from sevenepochs.cli.options import experiment_from, refuse_seed
    from sevenepochs.comparison.compare import by_recipe
    from sevenepochs.comparison.find import finished_runs, published_results, select
    from sevenepochs.comparison.noise import seed_noise, store, to_json
    from sevenepochs.errors import UserError
    from sevenepochs.training.hooks import Watcher

    runs, results = folders.runs, folders.results
    refuse_seed(settings, "--train")
    if not train and (titles != Titles() or settings):
        raise UserError(
            "--corpus, --column, --encoding, --revision and --set are for runs that --train begins; add --train 3"
        )
    if train:
        if train < 2:
            raise UserError(f"--train {train}: a deviation needs two seeds, and a claim three; write --train 3")
        if not recipes:
            raise UserError("name the recipe to train: sevenepochs noise baseline --train 3")
        jobs = [
            job
            for name in recipes
            for job in jobs_for(
                name,
                experiment_from(name, titles, settings),
                train,
                settings,
                proxy=proxy,
            )
        ]
        watcher = Watcher() if json else ConsoleWatcher()
        executed = execute(plan(jobs, runs, results), runs, watcher)
        show_unfinished(executed, errors)
        results_there = results_of(executed)
        if not results_there:
            raise UserError("no run was finished, so nothing is measured; `sevenepochs runs` says what became of them")
    elif recipes:
        names = [proxy_name(text) if proxy else text for text in recipes]
        results_there = [result for text in names for result in select(text, runs, results)]
    else:
        results_there = [*published_results(results), *finished_runs(runs)]
    groups = by_recipe(results_there)
    if not recipes:
        groups = [group for group in groups if len(group.results) > 1]
    if not groups:
        raise UserError(
            f"no recipe has been run with two seeds in {runs} or {results}; train some: "
            "sevenepochs noise baseline --train 3"
        )
    noises = [seed_noise(group.results) for group in groups]
    for one in noises:
        file = store(one, results)
    if json:
        print_json([to_json(one) for one in noises])
        return
    _show(noises)
    console.print(f"kept in {file}, where `compare` and `ladder` find it")
    if any(one.n < 3 for one in noises):
        errors.print("two seeds say little: the interval of their deviation spans a factor of 70", style="yellow")


def _show(noises: list[SeedNoise]) -> None:
    from rich.table import Table

    from sevenepochs.cli.console import console
    from sevenepochs.metrics import format_metric

    table = Table(box=None, pad_edge=False)
    for column in ("recipe", "corpus", "n", "mean exact", "sd", "95 % interval of the sd", "machine"):
        table.add_column(column, justify="left" if column in ("recipe", "corpus", "machine") else "right")
    for one in noises:
        low, high = (format_metric("seed_deviation", value) for value in one.sd_interval)
        mean, sd = format_metric("exact_val_loss", one.mean), format_metric("seed_deviation", one.sd)
        table.add_row(one.recipe, one.corpus, str(one.n), mean, sd, f"{low} to {high}", one.device)
    console.print(table)
