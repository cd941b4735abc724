"""The ladder as rows of text, as entries for docs/log, and as JSON. No torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from sevenepochs.comparison.ladder import Rung
from sevenepochs.comparison.noise import SEEDS_TO_CLAIM
from sevenepochs.metrics import format_metric

HEAD = ["recipe", "n", "exact", "sd", "of first", "effect", "in stock rows", "verdict"]


def rows(rungs: Sequence[Rung]) -> list[list[str]]:
    """Return one row of cells per rung, under HEAD."""
    found = []
    for rung in rungs:
        numbers = {"exact_val_loss": rung.mean, "seed_deviation": rung.sd, "val_loss_ratio": rung.ratio}
        losses = (format_metric(name, value) for name, value in numbers.items())
        judged = [effect(rung), _stock_effect(rung), _short_verdict(rung) + _broken(rung)]
        found.append([rung.recipe, str(len(rung.results)), *losses, *judged])
    return found


def log_entries(rungs: Sequence[Rung], docstrings: Mapping[str, str]) -> list[str]:
    """Return an entry for docs/log per rung that was run. Expectations and conclusions are added by hand. `docstrings`:
    of the recipes by name, what each changes and why."""
    entries = []
    for rung in filter(lambda rung: rung.results, rungs):
        first = rung.results[0]
        size = "proxy" if first.is_proxy else "full"
        seeds = f"seed{'s' if rung.results[1:] else ''} {', '.join(str(result.seed) for result in rung.results)}"
        against = f"; {effect(rung)} against `{rung.pair.first}`" if rung.pair else ""
        mean, sd = format_metric("exact_val_loss", rung.mean), format_metric("seed_deviation", rung.sd)
        fields = [
            f"### {rung.recipe}        {first.created_utc[:10]}, {rung.recipe}, {size}, {seeds}",
            f"Asked: {' '.join(docstrings.get(rung.recipe, '').split())}",
            f"Ran: `{first.facts.command}`, {seeds}, at {first.commit_words}, {first.machine.words}.",
            f"Saw: exact {mean} (n = {len(rung.results)}, sd {sd}){against}.",
            f"So: {rung.pair.verdict.words if rung.pair else rung.unpaired or 'the first rung'}.",
            f"Verdict: {_log_verdict(rung)}",
        ]
        entries.append("\n\n".join(fields))
    return entries


def effect(rung: Rung) -> str:
    """Return the difference to the rung above and half its widest interval; "-" for the first."""
    if rung.pair is None:
        return "-"
    own = rung.pair.own_rows
    text = format_metric("val_loss_difference", own.value)
    return text if own.widest is None else f"{text} ± {format_metric('val_loss_half_width', own.widest.half_width)}"


def to_json(rung: Rung) -> dict[str, Any]:
    """Return plain values, with the paired difference and the verdict."""
    pair = rung.pair
    return {
        "recipe": rung.recipe,
        "n": len(rung.results),
        "seeds": [result.seed for result in rung.results],
        "mean": rung.mean,
        "sd": rung.sd,
        "ratio": rung.ratio,
        "against": pair.first if pair else None,
        "difference": dataclasses.asdict(pair.own_rows) if pair else None,
        "difference_stock_rows": dataclasses.asdict(pair.stock_rows) if pair and pair.stock_rows else None,
        "counts": pair.verdict.counts if pair else None,
        "verdict": pair.verdict.words if pair else rung.unpaired,
    }


def _stock_effect(rung: Rung) -> str:
    if rung.pair is None:
        return "-"
    if rung.pair.own_are_stock:
        return "same"
    stock = rung.pair.stock_rows
    return "unknown" if stock is None else format_metric("val_loss_difference", stock.value)


def _short_verdict(rung: Rung) -> str:
    if rung.pair is None:
        return rung.unpaired
    winner, own = rung.pair.verdict.winner, rung.pair.own_rows
    if own.identical:
        return "identical"
    if winner is not None:
        return "better" if winner == rung.pair.second else "worse"
    if own.n_pairs < SEEDS_TO_CLAIM and own.over_titles is not None and own.over_titles.excludes_zero:
        return "not yet: too few seeds"
    return "no difference"


def _broken(rung: Rung) -> str:
    rules = sorted({rule for result in rung.results for rule in result.broken})
    return f"; broke a rule: {', '.join(rules)}" if rules else ""


def _log_verdict(rung: Rung) -> str:
    if rung.pair is None:
        return "none"
    winner = rung.pair.verdict.winner
    return "level" if winner is None else "gain" if winner == rung.pair.second else "loss"
