"""`ladder` and `noise`: recipes run one after the other or side by side, and seeds of one recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from tyro.conf import arg

from sevenepochs.cli.console import console, duration, errors, heading, print_json
from sevenepochs.cli.options import Batch, BatchOptions, Json, Positional, SideBySide, Titles
from sevenepochs.comparison import noise as seed_noises
from sevenepochs.comparison.compare import by_recipe
from sevenepochs.comparison.find import select
from sevenepochs.comparison.ladder import ProxyCheck, proxy_check, proxy_checks
from sevenepochs.comparison.ladder import ladder as line_up
from sevenepochs.comparison.title_losses import title_losses
from sevenepochs.errors import UserError, nearest
from sevenepochs.metrics import format_metric
from sevenepochs.questions.terminal import table
from sevenepochs.recipes.listing import LADDER, list_recipes
from sevenepochs.report.ladder_section import PAIR_HEAD, pair_rows
from sevenepochs.report.ladder_table import HEAD, log_entries, rows, to_json
from sevenepochs.store.results import Result, list_all
from sevenepochs.store.run.layout import PROXY_SUFFIX
from sevenepochs.store.run.writer import recipe_label
from sevenepochs.training.interrupt import Interrupted

if TYPE_CHECKING:
    from sevenepochs.campaign.jobs import Planned

From = Annotated[str | None, arg(name="from", metavar="RECIPE", help="First rung to run and show.")]
To = Annotated[str | None, arg(name="to", metavar="RECIPE", help="Last rung to run and show.")]


def ladder(
    recipes: Positional[Annotated[tuple[str, ...], arg(metavar="[RECIPE ...]")]] = (),
    start: From = None,
    stop: To = None,
    *,
    batch: BatchOptions,
    seeds: int = 1,
    dry_run: bool = False,
    log: bool = False,
    check_proxy: bool = False,
    json: Json = False,
) -> None:
    """Run recipes in order, each measured against the one before; what is done is skipped, what was stopped goes on.

    Args:
        recipes: Other recipes than the ladder's, in the order to compare.
        seeds: Seeds per recipe, from 1337 on.
        dry_run: Show what would be run and how long it would take; train nothing.
        log: Also print each rung as a Markdown entry for a log of experiments.
        check_proxy: Train nothing; of all runs that are there, or of the recipes named, show whether the proxy ranks
            them as full size does.
    """
    from sevenepochs.campaign.jobs import check_titles, plan

    folders = batch.folders
    if log and json:
        raise UserError("--log prints Markdown and --json prints JSON: choose one of them")
    names = _between(recipes or LADDER, start, stop)
    labels = tuple(map(recipe_label, names))
    if check_proxy:
        if batch != Batch(Titles(), folders, batch.side_by_side) or dry_run or log or seeds != 1:
            raise UserError("--check-proxy looks at all runs that are there; beside it name only recipes and folders")
        found = list_all(folders.results, folders.runs)
        is_part = bool(recipes or start or stop)
        _print_checks(proxy_checks(one for one in found if not is_part or one.plain_recipe in labels), json)
        return
    # the whole ladder with one seed before the next: what is cut short is a ladder then
    jobs = sorted((job for name in names for job in batch.jobs(name, seeds, "--seeds")), key=lambda job: job.seed)
    planned = plan(jobs, folders.runs, folders.results, may_download=not dry_run)
    if dry_run:
        _print_plan(planned, json)
        return
    check_titles(jobs)
    out = errors if json else console
    n_done = sum(one.state == "done" for one in planned)
    out.print(f"{len(planned)} runs: {n_done} done, {len(planned) - n_done} to go", style="dim")

    def announce(index: int, one: Planned) -> None:
        verb = "going on with" if one.state == "resume" else "training"
        heading(f"{index + 1}/{len(planned)}: {verb} {one.job.name}, seed {one.job.seed}", out)

    try:
        planned = batch.execute(planned, announce, is_silent=json)
    except Interrupted:
        out.print("the same command goes on from here", style="dim")
        raise
    _print_table(labels, planned, folders.results, json=json, log=log)


def _between(names: tuple[str, ...], start: str | None, stop: str | None) -> tuple[str, ...]:
    whole = "sevenepochs ladder --dry-run" if names == LADDER else None
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


def _print_plan(planned: list[Planned], json: bool) -> None:
    seconds = _seconds_left(planned)
    timed = list(zip(planned, seconds, strict=True))
    if json:
        print_json([{"run": p.job.name, "seed": p.job.seed, "state": p.state, "seconds": left} for p, left in timed])
        return
    listed = table(("run", ">seed", "state", ">time here"))
    for one, left in timed:
        shown = "unknown without the corpus" if left is None else f"about {duration(left)}" if left else "-"
        listed.add_row(one.job.name, str(one.job.seed), one.state, shown)
    console.print(listed)
    total = sum(left for left in seconds if left is not None)
    unknown = " without the unknown ones" if None in seconds else ""
    if all(left is None for left in seconds):
        console.print("how long it takes is known with the titles at hand: --corpus PATH; nothing was trained")
    else:
        console.print(f"about {duration(total)} in all{unknown}; nothing was trained")


def _seconds_left(planned: list[Planned]) -> list[float | None]:
    """Per run: 0 where nothing is to be done, None where it is unknown without the corpus."""
    from sevenepochs.training.estimate import estimate

    waiting = {one.job.name: one.job.experiment for one in planned if one.state in ("to do", "resume")}
    facts = {name: estimate(experiment) for name, experiment in waiting.items()}  # seeds take equal time
    seconds: list[float | None] = []
    for one in planned:
        whole = facts[one.job.name]["seconds"] if one.state in ("to do", "resume") else 0.0
        if whole and one.run is not None and one.run.has_checkpoint():
            n_done = max((row["step"] for row in one.run.training_curve()), default=0)
            whole *= 1 - n_done / facts[one.job.name]["n_steps"]
        seconds.append(whole)
    return seconds


def _print_table(labels: tuple[str, ...], planned: list[Planned], results: Path, *, json: bool, log: bool) -> None:
    from sevenepochs.campaign.jobs import results_of

    corpus = planned[0].job.experiment.corpus if planned else None
    rungs = line_up(
        labels, results_of(planned), lambda result: title_losses(result, corpus), seed_noises.read_noises(results)
    )
    if json:
        print_json([to_json(rung) for rung in rungs])
        return
    listed = table([name if name in ("recipe", "verdict") else f">{name}" for name in HEAD])
    listed.columns[0].overflow = "fold"
    listed.columns[HEAD.index("effect")].no_wrap = True
    for rung, row in zip(rungs, rows(rungs), strict=True):
        counts = rung.pair is not None and rung.pair.verdict.counts
        listed.add_row(*row, style="bold" if counts else None if rung.results else "dim")
    console.print(listed)
    console.print("effect: against the rung above that was run, with the half-width of its 95 % interval", style="dim")
    _print_unfinished(planned, console)
    if log:
        for entry in log_entries(rungs, {recipe.name: recipe.docstring for recipe in list_recipes()}):
            console.print(f"\n{entry}", markup=False, soft_wrap=True)


def _print_unfinished(planned: Sequence[Planned], out: Console) -> None:
    for one in planned:
        if one.state in ("failed", "running"):
            where = f", see {one.run.path}" if one.run is not None else ""
            out.print(f"{one.job.name}, seed {one.job.seed}: {one.state}{where}", style="yellow", soft_wrap=True)


def _print_checks(checks: dict[str, ProxyCheck], json: bool) -> None:
    """Per corpus: every pair of recipes that was run at both scales, and what they say about the proxy."""
    if json:
        print_json({name: {**dataclasses.asdict(check), "words": check.words} for name, check in checks.items()})
        return
    if not checks:
        console.print(proxy_check({}, {}).words)
    for name, check in checks.items():
        listed = table([column if column in ("pair", "") else f">{column}" for column in PAIR_HEAD])
        for cells in pair_rows(check):
            listed.add_row(*cells)
        console.print(listed)
        console.print(f"on {name}, {check.words}", markup=False)


def noise(
    recipes: Positional[Annotated[tuple[str, ...], arg(metavar="[RECIPE|RUN ...]")]] = (),
    train: int = 0,
    *,
    batch: BatchOptions,
    json: Json = False,
) -> None:
    """Measure how far the loss moves when only the seed changes, and keep it in results/noise.json for compare.

    Args:
        recipes: Recipes, or run folders of one recipe; every recipe with two seeds or more by default.
        train: Train what is missing to this number of seeds, from 1337 on.
    """
    folders = batch.folders
    if not train and (batch.titles, batch.settings, batch.side_by_side) != (Titles(), (), SideBySide()):
        raise UserError(
            "--corpus, --column, --encoding, --revision, --set, --workers and --ray are for runs that --train begins; "
            "add --train 3"
        )
    if train:
        found = _trained(recipes, train, batch, json)
    elif recipes:
        names = [text + PROXY_SUFFIX if batch.proxy else text for text in recipes]
        found = [result for text in names for result in select(text, folders.runs, folders.results)]
    else:
        found = list_all(folders.results, folders.runs)
    groups = [group for group in by_recipe(found) if recipes or len(group.results) > 1]
    if not groups:
        raise UserError(
            f"no recipe has been run with two seeds in {folders.runs} or {folders.results}; train some: "
            "sevenepochs noise baseline --train 3"
        )
    noises = [seed_noises.seed_noise(group.results) for group in groups]
    for one in noises:
        file = seed_noises.store(one, folders.results)
    if json:
        print_json([seed_noises.to_json(one) for one in noises])
        return
    listed = table(("recipe", "corpus", ">n", ">mean exact", ">sd", ">95 % interval of the sd", "machine"))
    for one in noises:
        low, high = (format_metric("seed_deviation", value) for value in one.sd_interval)
        mean, sd = format_metric("exact_val_loss", one.mean), format_metric("seed_deviation", one.sd)
        listed.add_row(one.recipe, one.corpus, str(one.n), mean, sd, f"{low} to {high}", one.device)
    console.print(listed)
    console.print(f"kept in {file}, where `compare` and `ladder` find it")
    if any(one.n < seed_noises.SEEDS_TO_CLAIM for one in noises):
        errors.print("two seeds say little: the interval of their deviation spans a factor of 70", style="yellow")


def _trained(recipes: tuple[str, ...], n_seeds: int, batch: Batch, is_silent: bool) -> list[Result]:
    """The finished runs of `n_seeds` seeds per recipe; those that are missing are trained."""
    from sevenepochs.campaign.jobs import plan, results_of

    if n_seeds < 2:
        raise UserError(f"--train {n_seeds}: a deviation needs two seeds, and a claim three; write --train 3")
    if not recipes:
        raise UserError("name the recipe to train: sevenepochs noise baseline --train 3")
    jobs = [job for name in recipes for job in batch.jobs(name, n_seeds, "--train")]
    planned = batch.execute(plan(jobs, batch.folders.runs, batch.folders.results), is_silent=is_silent)
    _print_unfinished(planned, errors)
    if not (found := results_of(planned)):
        raise UserError("no run was finished, so nothing is measured; `sevenepochs runs` says what became of them")
    return found
