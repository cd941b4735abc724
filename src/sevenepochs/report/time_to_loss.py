"""When each published run passed the stock recipe's final exact loss: read off the curves in results/. No torch.

A run knows its exact loss only where it evaluated, so the answer is the first evaluation at or below the loss. Seconds
are a run's own, evaluations among them, on its own machine: nothing is converted from one machine to another.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.recipes.configs import called
from sevenepochs.recipes.listing import LADDER
from sevenepochs.store.results import Result

STOCK = LADDER[0]


@dataclass(frozen=True)
class Passing:
    """A run, the stock run that it is held against, and where it passed; `step` is None where it never did."""

    result: Result
    stock: Result
    stock_loss: float
    stock_seconds: float
    step: int | None
    seconds: float | None


def passings(results: list[Result]) -> list[Passing]:
    """Every full run on titles that the stock recipe was run on too, stock itself left out; fastest first.

    Each is held against the first seed of stock on a machine of its kind, where there is none against the first seed.

    Raises:
        UserError: a curve is damaged.
    """
    stock_of: dict[tuple[str, str | None], Result] = {}
    for result in sorted(results, key=lambda r: r.seed):
        if called(result) == STOCK and not result.is_proxy:
            stock_of.setdefault((result.titles, result.machine.words), result)
            stock_of.setdefault((result.titles, None), result)
    others = [r for r in results if called(r) != STOCK and not r.is_proxy and (r.titles, None) in stock_of]
    found = [_passing(r, stock_of.get((r.titles, r.machine.words), stock_of[r.titles, None])) for r in others]
    return sorted(found, key=lambda p: (p.result.titles, float("inf") if p.seconds is None else p.seconds))


def time_to_loss_table(found: list[Passing]) -> tuple[list[str], list[list[str]]]:
    head = ["recipe", "seed", "machine", "stock's final exact loss", "passed at step", "after, min", "stock took, min"]
    rows = []
    for passing in found:
        never = passing.seconds is None
        rows.append(
            [
                f"`{called(passing.result)}`",
                str(passing.result.seed),
                passing.result.machine.words,
                format_metric("exact_val_loss", passing.stock_loss),
                "never" if never else f"{passing.step:,} of {passing.result.facts.n_steps:,}",
                "-" if passing.seconds is None else _minutes(passing.seconds),
                _minutes(passing.stock_seconds),
            ]
        )
    return head, rows


def _passing(result: Result, stock: Result) -> Passing:
    *_, (_, loss, stock_seconds) = _evaluations(stock)
    for step, exact, seconds in _evaluations(result):
        if exact <= loss:
            return Passing(result, stock, loss, stock_seconds, step, seconds)
    return Passing(result, stock, loss, stock_seconds, None, None)


def _evaluations(result: Result) -> list[tuple[int, float, float]]:
    """(step, exact loss, elapsed seconds) of the curve: in the run's own precision, as it was when it ran."""
    assert result.path is not None, "published results have a folder"
    file = result.path / "curve.csv"
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            found = [
                (int(row["step"]), float(row["exact_val_loss"]), float(row["elapsed_seconds"]))
                for row in csv.DictReader(stream)
                if row["event"] == "evaluation"
            ]
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({error}); publish the run again") from None
    if not found:
        raise UserError(f"{file} holds no evaluation; publish the run again")
    return found


def _minutes(seconds: float) -> str:
    return format_metric("elapsed_minutes", seconds / 60)
