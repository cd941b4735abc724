"""The ladders of published results as Markdown and as a figure, and whether the proxy orders recipes as full size does.
No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sevenepochs.comparison.ladder import Rung
from sevenepochs.comparison.proxy_check import ProxyCheck, proxy_checks
from sevenepochs.metrics import format_metric
from sevenepochs.questions.figures import ladder as plot
from sevenepochs.report.ladder_table import HEAD, effect, rows
from sevenepochs.report.markers import wrapped
from sevenepochs.report.tables import table
from sevenepochs.store.results import Result
from sevenepochs.store.run.layout import PROXY_SUFFIX

PAIR_HEAD = ["pair", "full size", "proxy", ""]


def ladder_section(rungs_of: Mapping[str, Sequence[Rung]], proxies: Mapping[str, Sequence[Rung]] | None = None) -> str:
    """One table for every ladder with at least two recipes; those that were not run are named below it.

    Args:
        proxies: ladders at proxy scale, to tell the effect there of what was not run in full.
    """
    blocks = []
    for rungs in rungs_of.values():
        there = [rung for rung in rungs if rung.results]
        if len(there) < 2:
            continue
        block = [f"{scale_of(there)}:", _table(HEAD, rows(there)), wrapped(_precisions(there))]
        block.append(wrapped(_not_run(rungs, proxies or {})))
        blocks += [part for part in block if part]
    return "\n\n".join(blocks) or "No two recipes of the ladder have been run in full yet."


def scale_of(rungs: Sequence[Rung]) -> str:
    """On which titles, and at which scale, a ladder was run."""
    name, is_proxy = _titles(rungs)
    return f"{name}, {'at proxy scale, on development titles' if is_proxy else 'full runs'}"


def longest(rungs_of: Mapping[str, Sequence[Rung]]) -> list[Rung]:
    """The rungs that were run of the ladder with most of them; the first of several. Empty without two rungs."""
    there = [[rung for rung in rungs if rung.results] for rungs in rungs_of.values()]
    found = max(there, key=len, default=[])
    return found if len(found) >= 2 else []


def figure(rungs: Sequence[Rung]) -> str:
    """The SVG of rungs that were run.

    Raises:
        UserError: matplotlib is not installed.
    """
    name, is_proxy = _titles(rungs)
    title = f"The ladder{' at proxy scale' if is_proxy else ''}, {name}"
    footnote = "over titles, and seeds where several"
    return plot.figure([_drawn(rung) for rung in rungs], title=title, footnote=footnote)


def pair_rows(check: ProxyCheck) -> list[list[str]]:
    """One row of cells for each pair of recipes, under PAIR_HEAD."""
    return [
        [
            f"{pair.second} - {pair.first}",
            *(format_metric("val_loss_difference", value) for value in (pair.full, pair.proxy)),
            "" if pair.agrees else "disagree",
        ]
        for pair in check.pairs
    ]


def proxy_check_section(results: Iterable[Result]) -> str:
    """What the published runs say of the proxy, every pair of recipes that was run at both scales below it."""
    blocks = []
    for name, check in proxy_checks(results).items():
        blocks.append(f"{wrapped(f'On {name}, {check.words}.')}\n\n{_table(PAIR_HEAD, pair_rows(check))}")
    return "\n\n".join(blocks) or "So far no two recipes were run at both scales: the proxy's ranking is unchecked."


def proxy_words(results: Iterable[Result]) -> str:
    """The sentence alone; "" where no two recipes were run at both scales."""
    return "; ".join(check.words for check in proxy_checks(results).values())


def _titles(rungs: Sequence[Rung]) -> tuple[str, bool]:
    """What the titles are called, and whether they are a proxy's."""
    first = next(rung.results[0] for rung in rungs if rung.results)
    return first.titles_name, first.is_proxy


def _not_run(rungs: Sequence[Rung], proxies: Mapping[str, Sequence[Rung]]) -> str:
    """Which rungs have no result, and their effects at proxy scale where one is known; "" where all have one."""
    missing = [rung.recipe for rung in rungs if not rung.results]
    name, is_proxy = _titles(rungs)
    of_these = [
        one for one in proxies.values() if longest({"": one}) and _titles(one)[0].removesuffix(PROXY_SUFFIX) == name
    ]
    pairs = {rung.recipe: (effect(rung), rung.pair.first) for one in of_these for rung in one if rung.pair is not None}
    told = []
    for recipe in missing:
        gave, against = pairs.get(recipe, (None, ""))
        told.append(f"`{recipe}`" + (f" {gave} against `{against.removesuffix(PROXY_SUFFIX)}`" if gave else ""))
    if not missing:
        return ""
    head = "Not run yet" if is_proxy else "Not run in full yet"
    return f"{head}{', and what they gave at proxy scale' if pairs.keys() & set(missing) else ''}: {', '.join(told)}."


def _precisions(rungs: Sequence[Rung]) -> str:
    """Which rungs were trained in another precision than most; "" where there is but one."""
    used = {rung.recipe: {str(result.machine.precision) for result in rung.results} for rung in rungs}
    counts = Counter(precision for precisions in used.values() for precision in precisions)
    [(usual, _), *others] = counts.most_common()
    told = []
    for precision, _ in others:
        names = [f"`{name}`" for name, precisions in used.items() if precision in precisions]
        told.append(f"in {precision} {', '.join(names)}")
    return f"Trained {'; '.join(told)}; all else in {usual}." if told else ""


def _table(head: list[str], cells: list[list[str]]) -> str:
    """With the first column as code."""
    return table(head, [[f"`{first}`", *rest] for first, *rest in cells])


def _drawn(rung: Rung) -> dict[str, Any]:
    row: dict[str, Any] = {"label": rung.recipe, "exact_val_loss": rung.mean}
    if rung.pair is not None and rung.pair.own_rows.widest is not None:
        interval = rung.pair.own_rows.widest
        row |= {"difference": rung.pair.own_rows.value, "low": interval.low, "high": interval.high}
        row["counts"] = rung.pair.verdict.counts
    return row
