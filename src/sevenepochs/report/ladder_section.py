"""The ladders of published results as Markdown and as a figure, and whether the proxy orders recipes as full size does.
No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sevenepochs.comparison.ladder import ProxyCheck, Rung, proxy_checks
from sevenepochs.metrics import format_metric
from sevenepochs.questions.figures import ladder as plot
from sevenepochs.recipes.configs import called
from sevenepochs.report.fragments import minutes
from sevenepochs.report.ladder_table import HEAD, effect, rows
from sevenepochs.report.markers import wrapped
from sevenepochs.report.tables import table
from sevenepochs.store.choosing import mean_exact, official_first
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
        block.append(wrapped(_not_run(rungs, (proxies or {}).values())))
        blocks += [part for part in block if part]
    return "\n\n".join(blocks) or "No two recipes of the ladder have been run in full yet."


def recipes_table(results: Iterable[Result]) -> str:
    """One row per recipe, the highest mean loss first; parameters, time and track are those of the official seed."""
    of_recipe: dict[str, list[Result]] = {}
    for result in official_first(results):
        of_recipe.setdefault(called(result), []).append(result)
    falling = sorted(of_recipe.items(), key=lambda item: -mean_exact(item[1]))
    head = ["recipe", "n", "exact", "of first", "parameters", "time", "track", "certificate"]
    lines = []
    for name, seeds in falling:
        broken = sorted({rule for seed in seeds for rule in seed.broken})
        exact = mean_exact(seeds)
        lines.append(
            [
                name,
                str(len(seeds)),
                format_metric("exact_val_loss", exact),
                format_metric("val_loss_ratio", exact / mean_exact(falling[0][1])),
                format_metric("parameters", seeds[0].facts.parameters),
                minutes(seeds[0]),
                str(seeds[0].facts.track),
                f"broken: {', '.join(broken)}" if broken else "clean",
            ]
        )
    return _table(head, lines)


def steps_table(rungs: Sequence[Rung], proxies: Collection[Sequence[Rung]], first: str, last: str) -> str:
    """The rungs of one ladder after `first`, up to `last`, with their effects at proxy scale."""
    names = [rung.recipe for rung in rungs]
    told = _at_proxy_scale(rungs, proxies)
    lines = []
    for rung in rungs[names.index(first) + 1 : names.index(last) + 1]:
        recipe, _, exact, _, _, gave, in_stock_rows, verdict = rows([rung])[0]
        if not rung.results:
            verdict = "not run in full"
        lines.append([recipe, exact, gave, in_stock_rows, told.get(recipe, "-"), verdict])
    return _table(["recipe", "exact", "effect", "in stock rows", "effect at proxy scale", "verdict"], lines)


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
    """Judge the proxy by the published runs: a sentence, and every pair of recipes that was run at both scales."""
    blocks = []
    for name, check in proxy_checks(results).items():
        blocks.append(f"{wrapped(f'On {name}, {check.words}.')}\n\n{_table(PAIR_HEAD, pair_rows(check))}")
    return "\n\n".join(blocks) or "So far no two recipes were run at both scales: the proxy's ranking is unchecked."


def proxy_words(results: Iterable[Result]) -> str:
    """The sentence alone; "" where no two recipes were run at both scales."""
    return "; ".join(check.words for check in proxy_checks(results).values())


def _titles(rungs: Sequence[Rung]) -> tuple[str, bool]:
    """The name of the titles, and whether they are a proxy's."""
    first = next(rung.results[0] for rung in rungs if rung.results)
    return first.titles_name, first.is_proxy


def _not_run(rungs: Sequence[Rung], proxies: Collection[Sequence[Rung]]) -> str:
    """Name the rungs without a result, with their effects at proxy scale where one is known; "" where all have one."""
    missing = [rung.recipe for rung in rungs if not rung.results]
    if not missing:
        return ""
    gave = _at_proxy_scale(rungs, proxies)
    told = ", ".join(f"`{recipe}` {gave.get(recipe, '')}".rstrip() for recipe in missing)
    head = "Not run yet" if _titles(rungs)[1] else "Not run in full yet"
    return f"{head}{', and what they gave at proxy scale' if gave.keys() & set(missing) else ''}: {told}."


def _at_proxy_scale(rungs: Sequence[Rung], proxies: Collection[Sequence[Rung]]) -> dict[str, str]:
    """Return each recipe's effect at proxy scale on the same corpus, and against which recipe."""
    name, _ = _titles(rungs)
    of_these = [one for one in proxies if longest({"": one}) and _titles(one)[0].removesuffix(PROXY_SUFFIX) == name]
    return {
        rung.recipe: f"{effect(rung)} against `{rung.pair.first.removesuffix(PROXY_SUFFIX)}`"
        for one in of_these
        for rung in one
        if rung.pair is not None
    }


def _precisions(rungs: Sequence[Rung]) -> str:
    """Name the rungs that were trained in another precision than most; "" where there is but one."""
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
