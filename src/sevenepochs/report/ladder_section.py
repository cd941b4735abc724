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
    """One table for every ladder with at least two recipes; those that were not run are named below it, with their
    effect at proxy scale where one of the ladders `proxies` has it."""
    blocks = []
    for rungs in rungs_of.values():
        if there := longest([rungs]):
            blocks += [f"{scale_of(there)}:", _table(HEAD, rows(there)), wrapped(_precisions(there))]
            blocks.append(wrapped(_not_run(rungs, (proxies or {}).values())))
    return "\n\n".join(filter(None, blocks)) or "No two recipes of the ladder have been run in full yet."


def recipes_table(results: Iterable[Result]) -> str:
    """One row per recipe, the highest mean loss first; parameters, time and track are those of the official seed."""
    of_recipe: dict[str, list[Result]] = {}
    for result in official_first(results):
        of_recipe.setdefault(called(result), []).append(result)
    falling = sorted(of_recipe.items(), key=lambda item: -mean_exact(item[1]))
    head = ["recipe", "n", "exact", "of first", "parameters", "time", "track", "certificate"]
    cells = []
    for name, seeds in falling:
        exact, official = mean_exact(seeds), seeds[0]
        losses = [
            format_metric("exact_val_loss", exact),
            format_metric("val_loss_ratio", exact / mean_exact(falling[0][1])),
        ]
        size = [format_metric("parameters", official.facts.parameters), minutes(official), str(official.facts.track)]
        broken = sorted({rule for seed in seeds for rule in seed.broken})
        cells.append([name, str(len(seeds)), *losses, *size, f"broken: {', '.join(broken)}" if broken else "clean"])
    return _table(head, cells)


def steps_table(rungs: Sequence[Rung], proxies: Collection[Sequence[Rung]], first: str, last: str) -> str:
    """The rungs of one ladder after `first`, up to `last`, with their effects at proxy scale."""
    names = [rung.recipe for rung in rungs]
    told = _at_proxy_scale(rungs, proxies)
    between = rungs[names.index(first) + 1 : names.index(last) + 1]
    lines = []
    for rung, (recipe, _, exact, _, _, gave, in_stock_rows, verdict) in zip(between, rows(between), strict=True):
        verdict = verdict if rung.results else "not run in full"
        lines.append([recipe, exact, gave, in_stock_rows, told.get(recipe, "-"), verdict])
    return _table(["recipe", "exact", "effect", "in stock rows", "effect at proxy scale", "verdict"], lines)


def scale_of(rungs: Sequence[Rung]) -> str:
    """On which titles, and at which scale, a ladder was run."""
    name, is_proxy = _titles(rungs)
    return f"{name}, {'at proxy scale, on development titles' if is_proxy else 'full runs'}"


def longest(ladders: Iterable[Sequence[Rung]]) -> list[Rung]:
    """The rungs that were run of the ladder with most of them; the first of several. Empty without two rungs."""
    found = max(([rung for rung in rungs if rung.results] for rungs in ladders), key=len, default=[])
    return found if len(found) >= 2 else []


def figure(rungs: Sequence[Rung]) -> str:
    """The SVG of rungs that were run. Raises UserError: matplotlib is not installed."""
    name, is_proxy = _titles(rungs)
    title = f"The ladder{' at proxy scale' if is_proxy else ''}, {name}"
    footnote = "over titles, and seeds where several"
    return plot.figure([_drawn(rung) for rung in rungs], title=title, footnote=footnote)


def pair_rows(check: ProxyCheck) -> list[list[str]]:
    """One row of cells for each pair of recipes, under PAIR_HEAD."""
    rows = []
    for pair in check.pairs:
        differences = (format_metric("val_loss_difference", value) for value in (pair.full, pair.proxy))
        rows.append([f"{pair.second} - {pair.first}", *differences, "" if pair.agrees else "disagree"])
    return rows


def proxy_check_section(results: Iterable[Result]) -> str:
    """Judge the proxy by the published runs: a sentence, and every pair of recipes that was run at both scales."""
    checks = proxy_checks(results).items()
    blocks = (f"{wrapped(f'On {name}, {one.words}.')}\n\n{_table(PAIR_HEAD, pair_rows(one))}" for name, one in checks)
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
    of_these = [one for one in proxies if longest([one]) and _titles(one)[0].removesuffix(PROXY_SUFFIX) == name]
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
    usual, *others = (precision for precision, _ in counts.most_common())
    told = []
    for precision in others:
        names = (f"`{name}`" for name, precisions in used.items() if precision in precisions)
        told.append(f"in {precision} {', '.join(names)}")
    return f"Trained {'; '.join(told)}; all else in {usual}." if told else ""


def _table(head: list[str], cells: list[list[str]]) -> str:
    """With the first column as code."""
    return table(head, [[f"`{first}`", *rest] for first, *rest in cells])


def _drawn(rung: Rung) -> dict[str, Any]:
    row: dict[str, Any] = {"label": rung.recipe, "exact_val_loss": rung.mean}
    if rung.pair is not None and (interval := rung.pair.own_rows.widest) is not None:
        row |= {"difference": rung.pair.own_rows.value, "low": interval.low, "high": interval.high}
        row["counts"] = rung.pair.verdict.counts
    return row
