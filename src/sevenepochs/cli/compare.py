"""`compare`: the table of figures, each pair with its verdict, breakdowns; and the same as plain values."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Annotated, Any, Literal

from rich.markup import escape
from rich.table import Table
from tyro.conf import UseAppendAction, arg

from sevenepochs.cli.console import console, print_json
from sevenepochs.cli.options import Folders, Json, Positional, Titles
from sevenepochs.comparison.compare import Comparison, Pair, groups_to_compare, pair_groups
from sevenepochs.comparison.compare import compare as line_up
from sevenepochs.comparison.find import select
from sevenepochs.comparison.noise import read_noises
from sevenepochs.comparison.paired import DRAWS
from sevenepochs.comparison.paired_parts import Part, by_kind, by_place
from sevenepochs.comparison.title_losses import title_losses, validation_titles
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.errors import UserError
from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.questions.terminal import table
from sevenepochs.recipes.configs import called, recipe_changes
from sevenepochs.store.results import Result

By = Annotated[
    UseAppendAction[tuple[Literal["kind", "place"], ...]],
    arg(help="Break the difference down by kind of title or by place in the title; may be repeated."),
]
_NARROW = 14  # columns of a terminal for a result in the turned table: a name is broken, a number never


def compare(
    names: Positional[Annotated[tuple[str, ...], arg(metavar="RUN RUN ...")]],
    by: By = (),
    *,
    titles: Titles,
    folders: Folders,
    json: Json = False,
) -> None:
    """Show runs side by side and pair them title by title; the first one is the reference.

    Args:
        names: Recipes (all their seeds), run folders, how their names begin or end, or folders of results/.
    """
    if len(names) < 2:
        raise UserError("compare needs at least two runs or results")
    corpus = titles.config()
    named = [result for text in names for result in select(text, folders.runs, folders.results)]
    comparison = line_up(named)
    pairs: list[tuple[Pair, list[Part]]] = []
    unpaired: list[str] = []
    groups = groups_to_compare(named) if comparison.comparable else []
    noises = read_noises(folders.results)
    for other in groups[1:]:
        try:
            pair = pair_groups(groups[0], other, lambda result: title_losses(result, corpus), noises)
        except UserError as error:
            unpaired.append(f"{other.name}: {error}")
        else:
            pairs.append((pair, _parts(pair, by, corpus)))
    if json:
        data = {
            "comparable": comparison.comparable,
            "results": [_row(comparison, result) for result in comparison.results],
            "pairs": [_pair_row(pair, parts) for pair, parts in pairs],
            "unpaired": unpaired,
        }
        print_json(data)
        return
    _print_figures(comparison)
    for text in dict.fromkeys(called(result) for result in comparison.results if recipe_changes(result)):
        console.print(f"* {text}", style="dim", markup=False)
    if not comparison.comparable:
        console.print(f"Not comparable: {comparison.why_not}.", style="red")
    for pair, parts in pairs:
        _print_pair(pair)
        if parts:
            console.print(_parts_table(parts))
            first, *more = dict.fromkeys(by)
            also = "".join(f", and so do all {name}s'" for name in more)
            console.print(f"Intervals are simultaneous: all {first}s' hold together with 95 %{also}.", style="dim")
    for line in unpaired:
        console.print(f"\nnot paired: {line}", style="yellow", markup=False)


def _parts(pair: Pair, by: tuple[str, ...], corpus: CorpusConfig | None) -> list[Part]:
    found = []
    if "kind" in by:
        first, second = ([title_losses(pair[side], corpus) for pair in pair.runs] for side in (0, 1))
        found += by_kind(first, second)
    if "place" in by:
        run = pair.runs[0][0].run
        if run is None:
            raise UserError("--by place needs run folders; published results have no losses by token")
        found += by_place(pair, validation_titles(run, corpus))
    return found


def _row(comparison: Comparison, result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "figures": result.figures.by_name(),
        "rows": result.facts.rows,
        "difference": comparison.difference(result),
        "ratio": comparison.ratio(result),
        "certificate_clean": result.facts.certificate_clean,
    }


def _pair_row(pair: Pair, parts: list[Part]) -> dict[str, Any]:
    noise = pair.noise
    return {
        "first": pair.first,
        "second": pair.second,
        "runs": [[a.name, b.name] for a, b in pair.runs],
        "difference": dataclasses.asdict(pair.own_rows),
        "difference_stock_rows": dataclasses.asdict(pair.stock_rows) if pair.stock_rows is not None else None,
        "own_rows_are_stock": pair.own_are_stock,
        "seeds_left_out": pair.left_out,
        "seed_deviation": {"recipe": noise.recipe, "n": noise.n, "sd": noise.sd} if noise is not None else None,
        "counts": pair.verdict.counts,
        "verdict": pair.verdict.words,
        "parts": [dataclasses.asdict(part) for part in parts],
    }


def _print_figures(comparison: Comparison) -> None:
    """All figures, a line per result; where that is too wide for the terminal, a column per result, as many as fit."""
    head, lines = _figures(comparison)
    whole = table([name if name in ("run", "rows", "certificate") else f">{name}" for name in head])
    for column in whole.columns:
        column.no_wrap = True
    for line in lines:
        whole.add_row(*line)
    unlimited = console.options.update(max_width=10_000)
    if console.measure(whole, options=unlimited).maximum <= console.width:
        console.print(whole)
        return
    at_once = max(1, (console.width - max(map(len, head))) // (_NARROW + 1))
    for start in range(0, len(lines), at_once):
        if start:
            console.print()
        some = lines[start : start + at_once]
        turned = table(("",), padding=(0, 1, 0, 0), show_header=False)
        for _ in some:
            turned.add_column(justify="right", overflow="fold", max_width=_NARROW)
        for label, *cells in zip(head, *some, strict=True):
            if label == "run":  # a name goes on in the next line behind a "_"
                wrapped = (textwrap.wrap(c.replace("_", "_ "), _NARROW, break_on_hyphens=False) for c in cells)
                cells = ["\n".join(name).replace("_ ", "_") for name in wrapped]
            turned.add_row(label, *cells, style="bold" if label == "run" else None)
        console.print(turned)


def _figures(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    figures = {result.name: result.figures.by_name() for result in comparison.results}
    names = [name for name in METRICS if any(name in one for one in figures.values())]
    lines = []
    for result in comparison.results:
        is_reference = result is comparison.reference
        cells = [format_metric(name, figures[result.name].get(name)) for name in names]
        difference = "reference" if is_reference else _number(comparison.difference(result))
        ratio = "" if is_reference else format_metric("val_loss_ratio", comparison.ratio(result))
        certificate = "clean" if result.is_clean else f"broken: {', '.join(result.broken or ['?'])}"
        name = result.name + " *" * bool(recipe_changes(result))
        lines.append([name, *cells, difference, ratio, str(result.facts.rows), certificate])
    return ["run", *(METRICS[name].label for name in names), "difference", "ratio", "rows", "certificate"], lines


def _print_pair(pair: Pair) -> None:
    own = pair.own_rows
    seeds = ", ".join(str(a) if a == b else f"{a} against {b}" for a, b in own.seeds)
    seeds = f"seed{'s' * (own.n_pairs != 1)} {seeds}"
    console.print(f"\n{pair.second} against {pair.first}: {own.n_titles:,} equal titles, {seeds}", style="bold")
    console.print(f"  difference      {_number(own.value)} nats/char; lower on {own.share_better:.1%} of the titles")
    console.print(f"  over titles     {_interval(own.over_titles)} (bootstrap, {DRAWS:,} draws of titles)")
    if own.over_seeds is not None:
        console.print(f"  over seeds      {_interval(own.over_seeds)} (t, {own.n_pairs} pairs)")
        console.print(f"  over both       {_interval(own.over_both)}")
    if pair.stock_rows is not None and not pair.own_are_stock:
        stock = pair.stock_rows
        console.print(f"  in stock rows   {_number(stock.value)}, over titles {_interval(stock.over_titles)}")
    elif pair.stock_rows is None:
        console.print("  in stock rows   unknown: publish the runs first, which scores them so")
    if pair.left_out:
        console.print(f"  unpaired seeds  {', '.join(map(str, pair.left_out))}")
    console.print(f"  {pair.verdict.words}", style="green" if pair.verdict.counts else "yellow", markup=False)


def _parts_table(parts: list[Part]) -> Table:
    made = table(("breakdown", "part", ">titles", ">difference", ">interval", ">share"))
    for column in made.columns[2:]:
        column.no_wrap = True
    before = None
    for part in parts:
        made.add_row(
            part.breakdown if part.breakdown != before else "",
            escape(part.name),  # "[pdf]" is no markup
            f"{part.n_titles:,}",
            _number(part.value),
            _interval(part.interval),
            "-" if part.share is None else f"{part.share:.1%}",
            style="bold" if part.interval is not None and part.interval.excludes_zero else "dim",
        )
        before = part.breakdown
    return made


def _number(value: float | None) -> str:
    return format_metric("val_loss_difference", value)


def _interval(interval: Any) -> str:
    return "-" if interval is None else f"{_number(interval.low)} to {_number(interval.high)}"
