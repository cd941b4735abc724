"""`ladder`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from sevenepochs.cli.options import Column, Corpus, Folder, Positional, Revision, Settings

if TYPE_CHECKING:
    from sevenepochs.analysis.ladder import Rung
    from sevenepochs.campaign.jobs import Planned

From = Annotated[str | None, tyro.conf.arg(name="from", metavar="RECIPE", help="First rung to run and show.")]
To = Annotated[str | None, tyro.conf.arg(name="to", metavar="RECIPE", help="Last rung to run and show.")]
Recipes = Annotated[tuple[str, ...], tyro.conf.arg(metavar="[RECIPE ...]")]


def ladder(
    recipes: Positional[Recipes] = (),
    start: From = None,
    stop: To = None,
    proxy: bool = False,
    seeds: int = 1,
    corpus: Corpus = None,
    column: Column = None,
    revision: Revision = None,
    settings: Settings = (),
    dry_run: bool = False,
    log: bool = False,
    check_proxy: bool = False,
    runs: Folder = Path("runs"),
    results: Folder = Path("results"),
    json: bool = False,
) -> None:
    """Run recipes in order, each measured against the one before; what is done is skipped, what was stopped goes on.

    Args:
        recipes: Other recipes than the ladder's, in the order to compare.
        proxy: A fifteenth of the work, on training titles alone: to choose by, never a result.
        seeds: Seeds a recipe, from 1337 on.
        corpus: Where the titles come from (the recipes' own by default).
        column: The column that holds the titles.
        revision: The hub dataset's revision.
        settings: Changes to every recipe.
        dry_run: Show what would be run and how long it would take; train nothing.
        log: Print lines for docs/log.md as well.
        check_proxy: Train nothing; show whether the proxy ranks these recipes as full size does.
        runs: Where run folders are and go.
        results: Where published results and measured seed deviations are.
        json: Print the table as JSON.
    """
    from sevenepochs.campaign.jobs import execute, jobs_for, plan
    from sevenepochs.cli.console import ConsoleWatcher, console, errors
    from sevenepochs.cli.options import experiment_from
    from sevenepochs.train.hooks import Watcher
    from sevenepochs.train.interrupt import Interrupted

    names = _between(recipes or _ladder(), start, stop)
    wanted = {name: experiment_from(name, corpus, column, revision, None, settings) for name in names}
    if check_proxy:
        full, small = (
            _means(plan([j for n, e in wanted.items() for j in jobs_for(n, e, seeds, proxy=p)], runs, results))
            for p in (False, True)
        )
        _show_check(full, small, json)
        return
    planned = plan([job for n, e in wanted.items() for job in jobs_for(n, e, seeds, proxy=proxy)], runs, results)
    if dry_run:
        _show_plan(planned)
        return
    out = errors if json else console
    n_done = sum(one.state == "done" for one in planned)
    out.print(f"{len(planned)} runs: {n_done} done, {len(planned) - n_done} to go", style="dim")

    def announce(index: int, one: Planned) -> None:
        verb = "going on with" if one.state == "resume" else "training"
        out.rule(f"{index + 1}/{len(planned)}: {verb} {one.job.name}, seed {one.job.seed}")

    try:
        planned = execute(planned, runs, Watcher() if json else ConsoleWatcher(), announce)
    except Interrupted:
        out.print("the same command goes on from here", style="dim")
        raise
    _show_table(names, planned, results, json=json, log=log)


def _ladder() -> tuple[str, ...]:
    from sevenepochs.recipes.ladder import LADDER

    return LADDER


def _between(names: tuple[str, ...], start: str | None, stop: str | None) -> tuple[str, ...]:
    from sevenepochs.errors import UserError, nearest

    for name in (start, stop):
        if name is not None and name not in names:
            raise UserError(f"{name!r} is no rung of the ladder{nearest(name, list(names))}")
    first = names.index(start) if start is not None else 0
    last = names.index(stop) if stop is not None else len(names) - 1
    if first > last:
        raise UserError(f"--from {start} comes after --to {stop} on the ladder")
    if len(set(names)) < len(names):
        raise UserError("a recipe is named twice; each rung is another one")
    return names[first : last + 1]


def _show_plan(planned: list[Planned]) -> None:
    from rich.table import Table

    from sevenepochs.cli.console import console, duration
    from sevenepochs.train.estimate import estimate

    table = Table(box=None, pad_edge=False)
    for column in ("run", "seed", "state", "time here"):
        table.add_column(column, justify="right" if column in ("seed", "time here") else "left")
    facts_of: dict[str, dict[str, Any]] = {}
    total, unknown = 0.0, False
    for one in planned:
        shown = "-"
        if one.state in ("to do", "resume"):
            if one.job.name not in facts_of:  # seeds take equal time
                facts_of[one.job.name] = estimate(one.job.experiment)
            facts = facts_of[one.job.name]
            if facts["seconds"] is None:
                unknown = True
                shown = "unknown without the corpus"
            else:
                seconds = facts["seconds"] * (1 - _n_steps_done(one) / facts["n_steps"])
                total += seconds
                shown = f"about {duration(seconds)}"
        table.add_row(one.job.name, str(one.job.seed), one.state, shown)
    console.print(table)
    console.print(
        f"about {duration(total)} in all{' without the unknown ones' if unknown else ''}; nothing was trained"
    )


def _n_steps_done(one: Planned) -> int:
    curve = one.run.training_curve() if one.run is not None and one.run.has_checkpoint() else []
    return int(curve[-1]["step"]) if curve else 0


def _show_table(names: tuple[str, ...], planned: list[Planned], results: Path, *, json: bool, log: bool) -> None:
    import json as json_module

    from sevenepochs.analysis.ladder import ladder as line_up
    from sevenepochs.analysis.noise import read_floors
    from sevenepochs.analysis.title_losses import title_losses
    from sevenepochs.cli.console import console
    from sevenepochs.recipes.catalog import list_recipes
    from sevenepochs.report.ladder_table import log_lines, rows, to_json

    found = [one.result for one in planned if one.result is not None]
    corpus = next(iter(one.job.experiment.corpus for one in planned), None)
    rungs = line_up(names, found, lambda result: title_losses(result, corpus), read_floors(results))
    if json:
        print(json_module.dumps([to_json(rung) for rung in rungs], indent=1))
        return
    _print_rungs(rungs, rows(rungs))
    for one in planned:
        if one.state in ("failed", "running"):
            assert one.run is not None, "it has a folder"
            console.print(f"{one.job.name}, seed {one.job.seed}: {one.state}, see {one.run.path}", style="yellow")
    if log:
        console.print()
        for line in log_lines(rungs, {recipe.name: recipe.docstring for recipe in list_recipes()}):
            console.print(line, markup=False, soft_wrap=True)


def _print_rungs(rungs: list[Rung], cells: list[list[str]]) -> None:
    from rich.table import Table

    from sevenepochs.cli.console import console
    from sevenepochs.report.ladder_table import HEAD

    table = Table(box=None, pad_edge=False)
    for column in HEAD:
        side: Literal["left", "right"] = "left" if column in ("recipe", "verdict") else "right"
        table.add_column(column, justify=side, no_wrap=column == "effect")
    for rung, row in zip(rungs, cells, strict=True):
        counts = rung.pair is not None and rung.pair.verdict.counts
        table.add_row(*row, style="bold" if counts else None if rung.results else "dim")
    console.print(table)
    console.print("effect: against the rung above that was run, with the half-width of its 95 % interval", style="dim")


def _means(planned: list[Planned]) -> dict[str, float]:
    """Mean exact loss by recipe, of those that are done."""
    from sevenepochs.analysis.compare import exact
    from sevenepochs.analysis.ladder import plain_name

    losses: dict[str, list[float]] = {}
    for one in planned:
        if one.result is not None:
            losses.setdefault(plain_name(one.result), []).append(exact(one.result))
    return {name: sum(values) / len(values) for name, values in losses.items()}


def _show_check(full: dict[str, float], small: dict[str, float], json: bool) -> None:
    import dataclasses
    import json as json_module

    from rich.table import Table

    from sevenepochs.analysis.proxy_check import proxy_check
    from sevenepochs.cli.console import console
    from sevenepochs.metrics import format_metric

    check = proxy_check(full, small)
    if json:
        print(json_module.dumps({**dataclasses.asdict(check), "words": check.words}, indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("pair", "full size", "proxy", ""):
        table.add_column(column, justify="left" if column in ("pair", "") else "right")
    for pair in check.pairs:
        cells = [format_metric("val_loss_difference", value) for value in (pair.full, pair.proxy)]
        table.add_row(f"{pair.second} - {pair.first}", *cells, "" if pair.agrees else "disagree")
    console.print(table)
    console.print(check.words)
