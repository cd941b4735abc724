"""What `compare` prints: the table of figures, each pair with its verdict, breakdowns; and the same as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from sevenepochs.comparison.compare import Comparison, Pair
    from sevenepochs.comparison.paired_parts import Part
    from sevenepochs.store.results import Result

_NARROW = 14  # columns of a terminal for a result in the turned table: a name is folded, a number never


def print_pair(pair: Pair) -> None:
    """The difference, its intervals and the verdict."""
    from sevenepochs.cli.console import console
    from sevenepochs.comparison.paired import DRAWS

    own = pair.own_rows
    seeds = ", ".join(str(a) if a == b else f"{a} against {b}" for a, b in own.seeds)
    console.print(f"\n{pair.second} against {pair.first}: {own.n_titles:,} equal titles, seeds {seeds}", style="bold")
    console.print(f"  difference      {_number(own.value)} nats/char; lower on {own.share_better:.1%} of the titles")
    console.print(f"  over titles     {_interval(own.over_titles)} (bootstrap, {DRAWS:,} draws of titles)")
    if own.over_seeds is not None:
        console.print(f"  over seeds      {_interval(own.over_seeds)} (t, {own.n_pairs} pairs)")
        console.print(f"  over both       {_interval(own.over_both)}")
    if pair.stock_rows is not None and not pair.own_are_stock:
        stock = pair.stock_rows
        console.print(f"  both in stock rows  {_number(stock.value)}, over titles {_interval(stock.over_titles)}")
    elif pair.stock_rows is None:
        console.print("  both in stock rows  unknown: publish the runs first, which scores them so")
    if pair.left_out:
        console.print(f"  without a partner   seeds {', '.join(map(str, pair.left_out))}")
    console.print(f"  {pair.verdict.words}", style="green" if pair.verdict.counts else "yellow", markup=False)


def row(comparison: Comparison, result: Result) -> dict[str, Any]:
    """One result as plain values."""
    return {
        "name": result.name,
        "figures": result.figures.by_name(),
        "rows": result.facts.rows,
        "difference": comparison.difference(result),
        "ratio": comparison.ratio(result),
        "certificate_clean": result.facts.certificate_clean,
    }


def pair_row(pair: Pair, parts: list[Part]) -> dict[str, Any]:
    """One pair as plain values."""
    import dataclasses

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


def print_figures(comparison: Comparison) -> None:
    """All figures, a line a result; where that is too wide for the terminal, a column a result, as many as fit."""
    from rich.table import Table

    from sevenepochs.cli.console import console

    head, lines = _figures(comparison)
    whole = Table(box=None, pad_edge=False)
    for column in head:
        whole.add_column(column, justify="left" if column in ("run", "rows", "certificate") else "right", no_wrap=True)
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
        turned = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
        turned.add_column(no_wrap=True)
        for _ in some:
            turned.add_column(justify="right", overflow="fold", max_width=_NARROW)
        for label, *cells in zip(head, *some, strict=True):
            turned.add_row(label, *cells, style="bold" if label == "run" else None)
        console.print(turned)


def _figures(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """The table's head, and one line a result."""
    from sevenepochs.metrics import METRICS, format_metric

    figures = {result.name: result.figures.by_name() for result in comparison.results}
    names = [name for name in METRICS if any(name in one for one in figures.values())]
    lines = []
    for result in comparison.results:
        is_reference = result is comparison.reference
        lines.append(
            [
                result.name,
                *(format_metric(name, figures[result.name].get(name)) for name in names),
                "reference" if is_reference else format_metric("val_loss_difference", comparison.difference(result)),
                "" if is_reference else format_metric("val_loss_ratio", comparison.ratio(result)),
                str(result.facts.rows),
                "clean" if result.is_clean else f"broken: {', '.join(result.broken or ['?'])}",
            ]
        )
    return ["run", *(METRICS[name].label for name in names), "difference", "ratio", "rows", "certificate"], lines


def parts_table(parts: list[Part]) -> Table:
    """One row a kind or place; bold where its interval excludes 0."""
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
