"""`ladder`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sevenepochs.cli.options import Folders, Json, Positional, Proxy, Settings, Titles

if TYPE_CHECKING:
    from sevenepochs.campaign.jobs import Planned
    from sevenepochs.comparison.proxy_check import ProxyCheck

From = Annotated[str | None, tyro.conf.arg(name="from", metavar="RECIPE", help="First rung to run and show.")]
To = Annotated[str | None, tyro.conf.arg(name="to", metavar="RECIPE", help="Last rung to run and show.")]
Recipes = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[RECIPE ...]")]


def ladder(
    recipes: Positional[Recipes] = (),
    start: From = None,
    stop: To = None,
    *,
    titles: Titles,
    folders: Folders,
    proxy: Proxy = False,
    seeds: int = 1,
    settings: Settings = (),
    dry_run: bool = False,
    log: bool = False,
    check_proxy: bool = False,
    json: Json = False,
) -> None:
    """Run recipes in order, each measured against the one before; what is done is skipped, what was stopped goes on.

    Args:
        recipes: Other recipes than the ladder's, in the order to compare.
        seeds: Seeds a recipe, from 1337 on.
        dry_run: Show what would be run and how long it would take; train nothing.
        log: Print entries for docs/log as well.
        check_proxy: Train nothing; of all runs that are there, or of the recipes named, show whether the proxy ranks
            them as full size does.
    """
    from sevenepochs.campaign.jobs import check_titles, execute, jobs_for, plan
    from sevenepochs.cli.console import ConsoleWatcher, console, errors, heading
    from sevenepochs.cli.ladder_views import show_checks, show_plan, show_table
    from sevenepochs.cli.options import experiment_from, refuse_seed
    from sevenepochs.errors import UserError
    from sevenepochs.store.run.writer import recipe_label
    from sevenepochs.training.hooks import Watcher
    from sevenepochs.training.interrupt import Interrupted

    runs, results = folders.runs, folders.results
    refuse_seed(settings, "--seeds")
    if log and json:
        raise UserError("--log prints Markdown and --json prints JSON: choose one of them")
    names = _between(recipes or _ladder(), start, stop)
    if check_proxy:
        if proxy or dry_run or log or seeds != 1 or titles != Titles() or settings:
            raise UserError("--check-proxy looks at all runs that are there; beside it name only recipes and folders")
        is_part = bool(recipes or start or stop)
        show_checks(_checks(tuple(map(recipe_label, names)) if is_part else None, runs, results), json)
        return
    wanted = {name: experiment_from(name, titles, settings) for name in names}
    jobs = [job for n, e in wanted.items() for job in jobs_for(n, e, seeds, settings, proxy=proxy)]
    # the whole ladder with one seed before the next: what is cut short is a ladder then
    planned = plan(sorted(jobs, key=lambda job: job.seed), runs, results, may_download=not dry_run)
    if dry_run:
        show_plan(planned, json)
        return
    check_titles(jobs)
    out = errors if json else console
    n_done = sum(one.state == "done" for one in planned)
    out.print(f"{len(planned)} runs: {n_done} done, {len(planned) - n_done} to go", style="dim")

    def announce(index: int, one: Planned) -> None:
        verb = "going on with" if one.state == "resume" else "training"
        heading(f"{index + 1}/{len(planned)}: {verb} {one.job.name}, seed {one.job.seed}", out)

    try:
        planned = execute(planned, runs, Watcher() if json else ConsoleWatcher(), announce)
    except Interrupted:
        out.print("the same command goes on from here", style="dim")
        raise
    show_table(tuple(map(recipe_label, names)), planned, results, json=json, log=log)


def _checks(recipes: tuple[str, ...] | None, runs: Path, results: Path) -> dict[str, ProxyCheck]:
    """Of the runs of these recipes, or of all."""
    from sevenepochs.comparison.find import finished_runs, published_results
    from sevenepochs.comparison.ladder import plain_name
    from sevenepochs.comparison.proxy_check import proxy_checks

    found = [*published_results(results), *finished_runs(runs)]
    return proxy_checks(result for result in found if recipes is None or plain_name(result) in recipes)


def _ladder() -> tuple[str, ...]:
    from sevenepochs.recipes.listing import LADDER

    return LADDER


def _between(names: tuple[str, ...], start: str | None, stop: str | None) -> tuple[str, ...]:
    from sevenepochs.errors import UserError, nearest

    whole = "sevenepochs ladder --dry-run" if names == _ladder() else None
    for name in (start, stop):
        if name is not None and name not in names:
            raise UserError(f"{name!r} is no rung of the ladder{nearest(name, list(names), whole)}")
    first = names.index(start) if start is not None else 0
    last = names.index(stop) if stop is not None else len(names) - 1
    if first > last:
        raise UserError(f"--from {start} comes after --to {stop} on the ladder")
    if len(set(names)) < len(names):
        raise UserError("a recipe is named twice; each rung is another one")
    return names[first : last + 1]
