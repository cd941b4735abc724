"""The moment when each published run passed the stock recipe's final exact loss, off the curves in results/. No torch.

A run knows its exact loss only where it evaluated, so the answer is the first evaluation at or below the loss. Seconds
are a run's own, evaluations among them, on its own machine: nothing is converted from one machine to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sevenepochs.metrics import format_metric
from sevenepochs.recipes.configs import called
from sevenepochs.recipes.listing import LADDER
from sevenepochs.report.inputs import read_curve
from sevenepochs.store.results import Result

STOCK = LADDER[0]


@dataclass(frozen=True)
class Passing:
    """A run, and the stock run that it is held against.

    Attributes:
        end: the last evaluation of the stock run, a row of its curve.csv.
        passed: the run's first evaluation at or below that loss; None where there is none.
    """

    result: Result
    stock: Result
    end: Mapping[str, Any]
    passed: Mapping[str, Any] | None


def passings(results: list[Result]) -> list[Passing]:
    """Return every full run on titles that the stock recipe was also run on, without stock itself, fastest first.

    Each is held against the first seed of stock on a machine of its kind, where there is none against the first seed.

    Raises:
        UserError: a curve is damaged.
    """
    stock_of: dict[tuple[str, str | None], Result] = {}
    full = [result for result in results if not result.is_proxy]
    for result in sorted(full, key=lambda r: r.seed):
        if called(result) == STOCK:
            stock_of.setdefault((result.titles, result.machine.words), result)
            stock_of.setdefault((result.titles, None), result)
    found = []
    for result in full:
        if called(result) != STOCK and (result.titles, None) in stock_of:
            stock = stock_of.get((result.titles, result.machine.words), stock_of[result.titles, None])
            end = _evaluations(stock)[-1]
            reached = (row for row in _evaluations(result) if row["exact_val_loss"] <= end["exact_val_loss"])
            found.append(Passing(result, stock, end, next(reached, None)))
    never = float("inf")
    return sorted(found, key=lambda p: (p.result.titles, p.passed["elapsed_seconds"] if p.passed else never))


def time_to_loss_table(found: list[Passing]) -> tuple[list[str], list[list[str]]]:
    """Return head and rows, one row per run."""
    head = ["recipe", "seed", "machine", "stock's final exact loss", "passed at step", "after, min", "stock took, min"]
    rows = [
        [
            f"`{called(passing.result)}`",
            str(passing.result.seed),
            passing.result.machine.words,
            format_metric("exact_val_loss", passing.end["exact_val_loss"]),
            f"{passing.passed['step']:,} of {passing.result.facts.n_steps:,}" if passing.passed else "never",
            _minutes(passing.passed) if passing.passed else "-",
            _minutes(passing.end),
        ]
        for passing in found
    ]
    return head, rows


def _evaluations(result: Result) -> list[dict[str, Any]]:
    return [row for row in read_curve(result) if row["event"] == "evaluation"]


def _minutes(row: Mapping[str, Any]) -> str:
    return format_metric("elapsed_minutes", row["elapsed_seconds"] / 60)
