"""The ladders of published results as Markdown and as a figure, and whether the proxy orders recipes as full size does.
No torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sevenepochs.analysis.compare import exact
from sevenepochs.analysis.ladder import Rung, ladder, plain_name
from sevenepochs.analysis.noise import NoiseFloor
from sevenepochs.analysis.proxy_check import ProxyCheck, proxy_check
from sevenepochs.corpus.development import NAME_SUFFIX
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.plots import ladder as plot
from sevenepochs.recipes.ladder import LADDER
from sevenepochs.report.ladder_table import HEAD, markdown_line, rows
from sevenepochs.results_folder import Result
from sevenepochs.title_losses import TitleLosses

PAIR_HEAD = ["pair", "full size", "proxy", ""]


def ladders(results: Iterable[Result], floors: Iterable[NoiseFloor]) -> dict[str, list[Rung]]:
    """The ladder of every set of titles with a result, by the titles' hash: full runs first, then proxies."""
    floors = list(floors)
    of_titles: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda r: (r.is_proxy, str(r.facts["corpus"]["name"]))):
        of_titles.setdefault(result.facts["corpus"]["split"]["validation_titles_sha256"], []).append(result)
    return {titles: ladder(LADDER, some, _published_losses, floors) for titles, some in of_titles.items()}


def ladder_section(rungs_of: Mapping[str, Sequence[Rung]]) -> str:
    """One table for every ladder with at least two recipes; those that were not run are named below it."""
    blocks = []
    for rungs in rungs_of.values():
        there = [rung for rung in rungs if rung.results]
        if len(there) < 2:
            continue
        lines = [markdown_line(HEAD), markdown_line(["---"] * len(HEAD))]
        lines += [markdown_line([f"`{cells[0]}`", *cells[1:]]) for cells in rows(there)]
        missing = [f"`{rung.recipe}`" for rung in rungs if not rung.results]
        block = f"{scale_of(there)}:\n\n" + "\n".join(lines)
        blocks.append(block + (f"\n\nNot run yet: {', '.join(missing)}." if missing else ""))
    return "\n\n".join(blocks) or "No two recipes of the ladder have been run in full yet."


def scale_of(rungs: Sequence[Rung]) -> str:
    """On which titles, and at which scale, a ladder was run."""
    first = next(rung.results[0] for rung in rungs if rung.results)
    corpus = first.facts["corpus"]
    name = corpus.get("recognised") or corpus.get("of") or corpus["name"]
    return f"{name}, {'at proxy scale, on development titles' if first.is_proxy else 'full runs'}"


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
    footnote = "Intervals: 95 %, over titles and, where several seeds were run, over seeds."
    return plot.figure([_drawn(rung) for rung in rungs], title=f"The ladder, {scale_of(rungs)}", footnote=footnote)


def proxy_checks(results: Iterable[Result]) -> dict[str, ProxyCheck]:
    """By corpus, where two recipes or more were run at both scales: does the proxy order recipes as full size does?"""
    losses: dict[str, dict[bool, dict[str, list[float]]]] = {}
    for result in results:
        corpus = result.facts["corpus"]
        name = str(corpus["name"]).removesuffix(NAME_SUFFIX)
        scales = losses.setdefault(name, {False: {}, True: {}})
        scales[result.is_proxy].setdefault(plain_name(result), []).append(exact(result))
    found = {
        name: proxy_check(*({r: math.fsum(v) / len(v) for r, v in scales[p].items()} for p in (False, True)))
        for name, scales in sorted(losses.items())
    }
    return {name: check for name, check in found.items() if check.pairs}


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
        lines = [markdown_line(PAIR_HEAD), markdown_line(["---"] * len(PAIR_HEAD))]
        lines += [markdown_line([f"`{cells[0]}`", *cells[1:]]) for cells in pair_rows(check)]
        blocks.append(f"On {name}, {check.words}.\n\n" + "\n".join(lines))
    return "\n\n".join(blocks) or "So far no two recipes were run at both scales: the proxy's ranking is unchecked."


def proxy_words(results: Iterable[Result]) -> str:
    """The sentence alone; "" where no two recipes were run at both scales."""
    return "; ".join(check.words for check in proxy_checks(results).values())


def _published_losses(result: Result) -> TitleLosses:
    losses = result.title_losses()
    if losses is None:
        raise UserError("losses by title not published")
    return losses


def _drawn(rung: Rung) -> dict[str, Any]:
    row: dict[str, Any] = {"label": rung.recipe, "exact_val_loss": rung.mean}
    if rung.pair is not None and rung.pair.own_rows.widest is not None:
        interval = rung.pair.own_rows.widest
        row |= {"difference": rung.pair.own_rows.value, "low": interval.low, "high": interval.high}
    return row
