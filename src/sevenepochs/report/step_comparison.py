"""What a side-by-side run of training steps says: medians, spreads, ratios and MFU from the rounds' raw seconds.

No torch.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OURS = "ours"


@dataclass(frozen=True)
class Contestant:
    """One package's steps.

    Attributes:
        seconds: median over the rounds.
        ours_is_faster_by: its seconds over ours, median over paired rounds, so that what slows both cancels; None where
            ours did not run.
        memory_bytes: the most that timed steps held above the level before the first step.
        memory_share: ours over this one's.
    """

    name: str
    note: str
    seconds: float
    seconds_min: float
    seconds_max: float
    tokens_per_second: float
    ours_is_faster_by: float | None
    mfu: float
    memory_bytes: int
    memory_share: float | None


def contestants(content: Mapping[str, Any]) -> list[Contestant]:
    """A step record's contestants, in the order they were named."""
    rows: list[Mapping[str, Any]] = content["rows"]
    ours = next((row for row in rows if row["peer"] == OURS), None)
    return [_contestant(row, ours, content) for row in rows]


def best_product_flops(products: Sequence[Mapping[str, Any]]) -> float:
    """The roof: the best rate over the sizes that were tried, FLOP/s."""
    return float(max(p["flop_per_second"] for p in products if p["flop_per_second"] is not None))


def _contestant(row: Mapping[str, Any], ours: Mapping[str, Any] | None, content: Mapping[str, Any]) -> Contestant:
    seconds: list[float] = row["seconds"]
    median = statistics.median(seconds)
    return Contestant(
        name=row["peer"],
        note=row["note"] + _in_parts(row.get("micro_batches", 1)),
        seconds=median,
        seconds_min=min(seconds),
        seconds_max=max(seconds),
        tokens_per_second=content["tokens_per_step"] / median,
        ours_is_faster_by=statistics.median(a / b for a, b in zip(seconds, ours["seconds"], strict=True))
        if ours
        else None,
        mfu=content["flop_per_step"] / median / best_product_flops(content["products"]),
        memory_bytes=row["peak_bytes_above_start"],
        memory_share=ours["peak_bytes_above_start"] / row["peak_bytes_above_start"] if ours else None,
    )


def _in_parts(micro_batches: int) -> str:
    return f", in {micro_batches} micro-batches" if micro_batches > 1 else ""
