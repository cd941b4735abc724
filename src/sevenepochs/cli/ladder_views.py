"""What `ladder` prints: the plan, the table, and the check of the proxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sevenepochs.cli.json_output import print_json

if TYPE_CHECKING:
    from rich.console import Console

    from sevenepochs.campaign.jobs import Planned
    from sevenepochs.comparison.ladder import Rung
    from sevenepochs.comparison.proxy_check import ProxyCheck


def show_plan(planned: list[Planned], json: bool) -> None:
    """What would be run, and how long it would take here."""
    from rich.table import Table

    from sevenepochs.cli.console import console, duration

    seconds = _seconds_left(planned)
    if json:
        rows = [
            {"run": one.job.name, "seed": one.job.seed, "state": one.state, "seconds": left}
            for one, left in zip(planned, seconds, strict=True)
        ]
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "seed", "state", "time here"):
        table.add_column(column, justify="right" if column in ("seed", "time here") else "left")
    for one, left in zip(planned, seconds, strict=True):
        shown = "unknown without the corpus" if left is None else f"about {duration(left)}" if left else "-"
        table.add_row(one.job.name, str(one.job.seed), one.state, shown)
    console.print(table)
    total = sum(left for left in seconds if left is not None)
    unknown = " without the unknown ones" if None in seconds else ""
    if all(left is None for left in seconds):
        console.print("how long it takes is known with the titles at hand: --corpus PATH; nothing was trained")
    else:
        console.print(f"about {duration(total)} in all{unknown}; nothing was trained")


def _seconds_left(planned: list[Planned]) -> list[float | None]:
    """Of each run: 0 where nothing is to be done, None where it is unknown without the corpus."""
    from sevenepochs.training.estimate import estimate

    facts_of: dict[str, dict[str, Any]] = {}
    seconds: list[float | None] = []
    for one in planned:
        if one.state not in ("to do", "resume"):
            seconds.append(0.0)
            continue
        if one.job.name not in facts_of:  # seeds take equal time
            facts_of[one.job.name] = estimate(one.job.experiment)
        estimated = facts_of[one.job.name]
        whole = estimated["seconds"]
        seconds.append(None if whole is None else whole * (1 - _n_steps_done(one) / estimated["n_steps"]))
    return seconds


def _n_steps_done(one: Planned) -> int:
    curve = one.run.training_curve() if one.run is not None and one.run.has_checkpoint() else []
    return int(curve[-1]["step"]) if curve else 0


def show_table(names: tuple[str, ...], planned: list[Planned], results: Path, *, json: bool, log: bool) -> None:
    """The ladder's table, or its JSON; runs that are not there are named below it."""
    from sevenepochs.campaign.jobs import results_of
    from sevenepochs.cli.console import console
    from sevenepochs.comparison.ladder import ladder as line_up
    from sevenepochs.comparison.noise import read_noises
    from sevenepochs.comparison.title_losses import title_losses
    from sevenepochs.recipes.listing import list_recipes
    from sevenepochs.report.ladder_table import log_entries, rows, to_json

    found = results_of(planned)
    corpus = next(iter(one.job.experiment.corpus for one in planned), None)
    rungs = line_up(names, found, lambda result: title_losses(result, corpus), read_noises(results))
    if json:
        print_json([to_json(rung) for rung in rungs])
        return
    _print_rungs(rungs, rows(rungs))
    show_unfinished(planned, console)
    if log:
        for entry in log_entries(rungs, {recipe.name: recipe.docstring for recipe in list_recipes()}):
            console.print(f"\n{entry}", markup=False, soft_wrap=True)


def show_unfinished(planned: Sequence[Planned], console: Console) -> None:
    """The runs that failed or that another process writes."""
    for one in planned:
        if one.state in ("failed", "running"):
            where = f", see {one.run.path}" if one.run is not None else ""
            console.print(f"{one.job.name}, seed {one.job.seed}: {one.state}{where}", style="yellow", soft_wrap=True)


def _print_rungs(rungs: list[Rung], cells: list[list[str]]) -> None:
    from rich.table import Table

    from sevenepochs.cli.console import console
    from sevenepochs.report.ladder_table import HEAD

    table = Table(box=None, pad_edge=False)
    for column in HEAD:
        side: Literal["left", "right"] = "left" if column in ("recipe", "verdict") else "right"
        overflow: Literal["fold", "ellipsis"] = "fold" if column == "recipe" else "ellipsis"
        table.add_column(column, justify=side, no_wrap=column == "effect", overflow=overflow)
    for rung, row in zip(rungs, cells, strict=True):
        counts = rung.pair is not None and rung.pair.verdict.counts
        table.add_row(*row, style="bold" if counts else None if rung.results else "dim")
    console.print(table)
    console.print("effect: against the rung above that was run, with the half-width of its 95 % interval", style="dim")


def show_checks(checks: Mapping[str, ProxyCheck], json: bool) -> None:
    """Every pair of recipes that was run at both scales, and what that says of the proxy, by corpus."""
    import dataclasses

    from rich.table import Table

    from sevenepochs.cli.console import console
    from sevenepochs.report.ladder_section import PAIR_HEAD, pair_rows

    if json:
        rows = {name: {**dataclasses.asdict(check), "words": check.words} for name, check in checks.items()}
        print_json(rows)
        return
    if not checks:
        console.print("the proxy's ranking is unchecked: no two recipes have been run at both scales")
    for name, check in checks.items():
        table = Table(box=None, pad_edge=False)
        for column in PAIR_HEAD:
            table.add_column(column, justify="left" if column in ("pair", "") else "right")
        for cells in pair_rows(check):
            table.add_row(*cells)
        console.print(table)
        console.print(f"on {name}, {check.words}", markup=False)
