"""`compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from sevenepochs.cli.options import Column, Corpus, Folder, Positional

if TYPE_CHECKING:
    from rich.table import Table

    from sevenepochs.analysis.compare import Comparison, Pair
    from sevenepochs.analysis.paired_parts import Part

By = Annotated[
    tyro.conf.UseAppendAction[tuple[Literal["kind", "place"], ...]],
    tyro.conf.arg(help="Break the difference down by kind of title or by place in the title; may be repeated."),
]


def compare(
    runs: Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN RUN ...")]],
    by: By = (),
    corpus: Corpus = None,
    column: Column = None,
    folder: Folder = Path("runs"),
    results: Folder = Path("results"),
    json: bool = False,
) -> None:
    """Show runs side by side and pair them title by title; the first one is the reference.

    Args:
        runs: Recipes (all their seeds), run folders, parts of their names, or folders of results/.
        by: Breakdowns.
        corpus: Where the runs' titles are now, if they moved.
        column: The column that holds the titles.
        folder: Where run folders are.
        results: Where published results and measured seed deviations are.
        json: Print JSON.
    """
    import json as json_module

    from sevenepochs.analysis.compare import compare as line_up
    from sevenepochs.analysis.compare import group, pair_groups
    from sevenepochs.analysis.finished import select
    from sevenepochs.analysis.noise import read_floors
    from sevenepochs.analysis.title_losses import title_losses
    from sevenepochs.cli.console import console
    from sevenepochs.corpus.parse import parse_corpus
    from sevenepochs.errors import UserError

    if len(runs) < 2:
        raise UserError("compare needs at least two runs or results")
    named = [result for text in runs for result in select(text, folder, results)]
    comparison = line_up(named)
    inner = parse_corpus(corpus, column=column) if corpus is not None else None
    pairs: list[Pair] = []
    parts: list[list[Part]] = []
    unpaired: list[str] = []
    if comparison.comparable:
        first, *others = group(named)
        floors = read_floors(results)
        for other in others:
            try:
                pair = pair_groups(first, other, lambda result: title_losses(result, inner), floors)
            except UserError as error:
                unpaired.append(f"{other.name}: {error}")
                continue
            pairs.append(pair)
            parts.append(_parts(pair, by, inner))
    if json:
        data = {
            "comparable": comparison.comparable,
            "results": [_row(comparison, result) for result in comparison.results],
            "pairs": [_pair_row(pair, found) for pair, found in zip(pairs, parts, strict=True)],
            "unpaired": unpaired,
        }
        print(json_module.dumps(data, indent=1))
        return
    console.print(_table(comparison))
    if not comparison.comparable:
        console.print("Not comparable: these runs were validated on different titles.", style="red")
    for pair, found in zip(pairs, parts, strict=True):
        print_pair(pair)
        if found:
            console.print(_parts_table(found))
            console.print(f"Intervals are simultaneous: all {len(found)} of them hold together with 95 %.", style="dim")
    for line in unpaired:
        console.print(f"\nnot paired: {line}", style="yellow", markup=False)


def print_pair(pair: Pair) -> None:
    """The difference, its intervals and the verdict."""
    from sevenepochs.analysis.paired import DRAWS
    from sevenepochs.cli.console import console

    own = pair.own_rows
    seeds = ", ".join(str(a) if a == b else f"{a} against {b}" for a, b in own.seeds)
    console.print(f"\n{pair.second} against {pair.first}: {own.n_titles:,} equal titles, seeds {seeds}", style="bold")
    console.print(f"  difference      {_number(own.value)} nats/char; lower on {own.share_better:.1%} of the titles")
    console.print(f"  over titles     {_interval(own.over_titles)} (bootstrap, {DRAWS:,} draws of titles)")
    if own.over_seeds is not None:
        console.print(f"  over seeds      {_interval(own.over_seeds)} (t, {own.n_pairs} pairs)")
        console.print(f"  over both       {_interval(own.over_both)}")
    if pair.rows_differ and pair.stock_rows is not None:
        stock = pair.stock_rows
        console.print(f"  both in stock rows  {_number(stock.value)}, over titles {_interval(stock.over_titles)}")
    elif pair.rows_differ:
        console.print("  both in stock rows  unknown: publish the runs first, which scores them so")
    if pair.left_out:
        console.print(f"  without a partner   seeds {', '.join(map(str, pair.left_out))}")
    console.print(f"  {pair.verdict.words}", style="green" if pair.verdict.counts else "yellow", markup=False)


def _parts(pair: Pair, by: tuple[str, ...], corpus: Any) -> list[Part]:
    from sevenepochs.analysis.paired_parts import by_kind, by_place
    from sevenepochs.analysis.title_losses import title_losses, validation_titles
    from sevenepochs.errors import UserError

    found = []
    if "kind" in by:
        sides = zip(*((title_losses(a, corpus), title_losses(b, corpus)) for a, b in pair.runs), strict=True)
        first, second = (list(side) for side in sides)
        found += by_kind(first, second)
    if "place" in by:
        run = pair.runs[0][0].run
        if run is None:
            raise UserError("--by place needs run folders; published results have no losses by token")
        found += by_place(pair, validation_titles(run, corpus))
    return found


def _row(comparison: Comparison, result: Any) -> dict[str, Any]:
    return {
        "name": result.name,
        "figures": result.figures,
        "rows": result.facts["rows"],
        "difference": comparison.difference(result),
        "ratio": comparison.ratio(result),
        "certificate_clean": result.facts["certificate_clean"],
    }


def _pair_row(pair: Pair, parts: list[Part]) -> dict[str, Any]:
    import dataclasses

    noise = pair.noise
    return {
        "first": pair.first,
        "second": pair.second,
        "runs": [[a.name, b.name] for a, b in pair.runs],
        "difference": dataclasses.asdict(pair.own_rows),
        "difference_stock_rows": dataclasses.asdict(pair.stock_rows) if pair.stock_rows is not None else None,
        "rows_differ": pair.rows_differ,
        "seeds_left_out": pair.left_out,
        "seed_deviation": {"recipe": noise.recipe, "n": noise.n, "sd": noise.sd} if noise is not None else None,
        "counts": pair.verdict.counts,
        "verdict": pair.verdict.words,
        "parts": [dataclasses.asdict(part) for part in parts],
    }


def _table(comparison: Comparison) -> Table:
    from rich.table import Table

    from sevenepochs.metrics import METRICS, format_metric

    table = Table(box=None, pad_edge=False)
    names = [name for name in METRICS if any(name in r.figures for r in comparison.results)]
    for column in ("run", *(METRICS[name].label for name in names), "difference", "ratio", "rows", "certificate"):
        table.add_column(column, justify="left" if column in ("run", "rows", "certificate") else "right")
    for result in comparison.results:
        is_reference = result is comparison.reference
        table.add_row(
            result.name,
            *(format_metric(name, result.figures.get(name)) for name in names),
            "reference" if is_reference else format_metric("val_loss_difference", comparison.difference(result)),
            "" if is_reference else format_metric("val_loss_ratio", comparison.ratio(result)),
            str(result.facts["rows"]),
            "clean"
            if result.facts["certificate_clean"]
            else f"broken: {', '.join(result.facts['certificate_broken'] or ['?'])}",
        )
    return table


def _parts_table(parts: list[Part]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("breakdown", "part", "titles", "difference", "interval", "share"):
        is_text = column in ("breakdown", "part")
        table.add_column(column, justify="left" if is_text else "right", no_wrap=not is_text)
    last = None
    for part in parts:
        table.add_row(
            part.breakdown if part.breakdown != last else "",
            escape(part.name),  # "[pdf]" is no markup
            f"{part.n_titles:,}",
            _number(part.value),
            _interval(part.interval),
            "-" if part.share is None else f"{part.share:.1%}",
            style="bold" if part.interval is not None and part.interval.excludes_zero else "dim",
        )
        last = part.breakdown
    return table


def _number(value: float | None) -> str:
    from sevenepochs.metrics import format_metric

    return format_metric("val_loss_difference", value)


def _interval(interval: Any) -> str:
    return "-" if interval is None else f"{_number(interval.low)} to {_number(interval.high)}"
