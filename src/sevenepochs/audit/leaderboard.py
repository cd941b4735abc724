"""Leaderboard: runs, results and logs ranked by corrected (ours: exact) loss, within one dataset version and track.

An entry's rank is one more than the number of entries that are better for certain, that is whose whole interval lies
below its own; of two entries whose intervals overlap neither is ahead of the other on its own account.
Entries that break a rule, lose text or never finished are shown where they would stand, without a rank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sevenepochs.audit.render import shown
from sevenepochs.audit.verdict import RunAudit
from sevenepochs.metrics import format_metric

_TRACKS = ("single", "ensemble", "context")
_UNFINISHED = ("unfinished", "no-final-evaluation")
_NOTE = (
    "Rank = 1 + the entries that are better for certain; '=' marks intervals that overlap with another ranked entry's. "
    "An exact figure is one run's: what another seed would give is not in it."
)


@dataclass(frozen=True)
class Entry:
    """One line. `rank` is None where the entry does not compete; `tied`: its interval overlaps another's."""

    rank: int | None
    tied: bool
    audit: RunAudit

    @property
    def rank_text(self) -> str:
        return "-" if self.rank is None else f"{self.rank}{'=' if self.tied else ''}"


@dataclass(frozen=True)
class Board:
    """The entries of one dataset and track; `dataset` is None for those whose data is unknown: nothing is ranked."""

    dataset: str | None
    track: str
    entries: tuple[Entry, ...]


def leaderboard(audits: Sequence[RunAudit]) -> list[Board]:
    """One board per dataset and track, the known datasets first."""

    def order(key: tuple[str | None, str]) -> tuple[object, ...]:
        group, track = key
        return group is None, group or "", _TRACKS.index(track) if track in _TRACKS else len(_TRACKS), track

    keys = sorted({(audit.group, audit.track) for audit in audits}, key=order)
    return [Board(*key, _entries([audit for audit in audits if (audit.group, audit.track) == key])) for key in keys]


def _marks(audit: RunAudit) -> tuple[str, ...]:
    """What keeps an entry from competing: errors, and a log that ends before its run does."""
    return (*audit.marks, *(finding.rule for finding in audit.findings if finding.rule in _UNFINISHED))


def _entries(audits: Sequence[RunAudit]) -> tuple[Entry, ...]:
    ordered = sorted(audits, key=lambda a: (a.corrected.value if a.corrected is not None else math.inf, a.name))
    competing = [
        (audit, audit.corrected)
        for audit in ordered
        if audit.group is not None and audit.corrected is not None and not _marks(audit)
    ]
    ranked = {}
    for audit, own in competing:
        others = [interval for other, interval in competing if other is not audit]
        better = sum(interval.high < own.low for interval in others)
        ranked[id(audit)] = Entry(1 + better, any(interval.overlaps(own) for interval in others), audit)
    return tuple(ranked.get(id(audit), Entry(None, False, audit)) for audit in ordered)


def boards_as_dicts(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Plain JSON values."""
    return [
        {"dataset": board.dataset, "track": board.track, "entries": [_summary(entry) for entry in board.entries]}
        for board in boards
    ]


def _summary(entry: Entry) -> dict[str, Any]:
    audit = entry.audit
    return {
        "rank": entry.rank,
        "tied": entry.tied,
        "marks": list(_marks(audit)),
        "name": audit.name,
        "source": audit.source,
        "reported": audit.losses.reported,
        "corrected": audit.corrected._asdict() if audit.corrected is not None else None,
        "is_exact": audit.is_exact,
        "ratio_to_stock": audit.ratio_to_stock._asdict() if audit.ratio_to_stock is not None else None,
        "dataset_confidence": audit.dataset.confidence,
    }


def boards_as_text(boards: Sequence[Board]) -> str:
    """For a terminal: a table per board."""
    blocks = []
    for board in boards:
        rows = [("rank", "corrected (95 %)", "of stock", "reported", "scored", "run", ""), *map(_row, board.entries)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        title = f"dataset {board.dataset or 'unknown, so nothing is ranked'} | track {board.track} | nats/char"
        blocks.append("\n".join([title, *lines]))
    return "\n\n".join([*blocks, _NOTE]) + "\n"


def _row(entry: Entry) -> tuple[str, ...]:
    audit = entry.audit
    fraction = audit.coverage.fraction.value if audit.coverage is not None and audit.coverage.fraction else None
    notes = [*_marks(audit), *(["exact"] if audit.is_exact else [])]
    notes += ["dataset guessed"] if audit.dataset.confidence == "possible" else []
    return (
        entry.rank_text,
        shown("corrected_val_loss", audit.corrected),
        format_metric("ratio_to_stock", audit.ratio_to_stock.value if audit.ratio_to_stock else None),
        format_metric("official_val_loss_own_geometry", audit.losses.reported),
        format_metric("val_scored_fraction", fraction),
        audit.name,
        ", ".join(notes),
    )
