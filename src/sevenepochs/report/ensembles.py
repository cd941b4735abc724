"""Published ensembles as a table: who the members are, and what mixing them gives beyond the best of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sevenepochs.metrics import format_metric
from sevenepochs.report.tables import table
from sevenepochs.store.results import Result


def ensembles_table(results: Iterable[Result]) -> str:
    """Return a row per ensemble, grouped by titles, the lowest loss first; "" where none is published."""
    ensembles = [result for result in results if result.facts.track == "ensemble"]
    ensembles.sort(key=lambda result: (result.is_proxy, result.titles_name, result.exact))
    head = ["ensemble", "members with their weights", "exact", "best member", "gain"]
    return table(head, list(map(_row, ensembles))) if ensembles else ""


def _row(result: Result) -> list[str]:
    config, members = result.config, result.certificate["members"]
    cuts = [*(_cut(member["experiment"]["tokenizer"]) for member in config["members"].values()), "counts"]
    best = min(member["exact_val_loss"] for member in members if "exact_val_loss" in member)
    return [
        f"`{result.recipe}`",
        ", ".join(f"{cut} {member['weight']:.2f}" for cut, member in zip(cuts, members, strict=False)),
        format_metric("exact_val_loss", result.exact),
        format_metric("exact_val_loss", best),
        format_metric("val_loss_difference", result.exact - best),
    ]


def _cut(tokenizer: dict[str, Any]) -> str:
    return f"{tokenizer['kind']} {tokenizer['vocab_size']:,}"
