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
    def marks(self) -> tuple[str, ...]:
        return _marks(self.audit)

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
    """One board for each dataset and track, the known datasets first."""
    keys = sorted({(a.group is None, a.group or "", _track_order(a.track), a.track) for a in audits})
    return [
        Board(group or None, track, _entries([a for a in audits if (a.group or "", a.track) == (group, track)]))
        for _, group, _, track in keys
    ]


def _marks(audit: RunAudit) -> tuple[str, ...]:
    """What keeps an entry from competing: errors, and a log that ends before its run does."""
    unfinished = [f.rule for f in audit.findings if f.rule in ("unfinished", "no-final-evaluation")]
    return (*audit.marks, *unfinished)


def _track_order(track: str) -> int:
    return _TRACKS.index(track) if track in _TRACKS else len(_TRACKS)


def _entries(audits: Sequence[RunAudit]) -> tuple[Entry, ...]:
    ordered = sorted(audits, key=lambda a: (a.corrected.value if a.corrected is not None else math.inf, a.name))
    competing = [a for a in ordered if a.group is not None and a.corrected is not None and not _marks(a)]
    entries = []
    for audit in ordered:
        rank, tied = None, False
        if any(audit is other for other in competing):
            own = audit.corrected
            assert own is not None, "competing"
            others = [other.corrected for other in competing if other is not audit and other.corrected is not None]
            rank = 1 + sum(other.high < own.low for other in others)
            tied = any(other.overlaps(own) for other in others)
        entries.append(Entry(rank, tied, audit))
    return tuple(entries)


def boards_as_dicts(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Plain JSON values."""
    return [
        {
            "dataset": board.dataset,
            "track": board.track,
            "entries": [
                {"rank": e.rank, "tied": e.tied, "marks": list(e.marks), **_summary(e.audit)} for e in board.entries
            ],
        }
        for board in boards
    ]


def _summary(audit: RunAudit) -> dict[str, Any]:
    return {
        "name": audit.name,
        "source": audit.source,
        "reported": audit.losses.reported,
        "corrected": audit.corrected._asdict() if audit.corrected is not None else None,
        "is_exact": audit.is_exact,
        "ratio_to_stock": audit.ratio_to_stock._asdict() if audit.ratio_to_stock is not None else None,
        "dataset_confidence": audit.dataset.confidence,
    }


def boards_as_text(boards: Sequence[Board]) -> str:
    """For a terminal: a table for each board."""
    blocks = []
    for board in boards:
        data = board.dataset or "unknown, so nothing is ranked"
        blocks.append(f"dataset {data} | track {board.track} | nats/char\n{_table(board)}")
    return "\n\n".join([*blocks, _NOTE]) + "\n"


def _table(board: Board) -> str:
    rows = [("rank", "corrected (95 %)", "of stock", "reported", "scored", "run", "")]
    for entry in board.entries:
        audit = entry.audit
        fraction = audit.coverage.fraction.value if audit.coverage is not None and audit.coverage.fraction else None
        notes = [*entry.marks]
        if audit.is_exact:
            notes.append("exact")
        if audit.dataset.confidence == "possible":
            notes.append("dataset guessed")
        rows.append(
            (
                entry.rank_text,
                shown("corrected_val_loss", audit.corrected),
                format_metric("ratio_to_stock", audit.ratio_to_stock.value if audit.ratio_to_stock else None),
                format_metric("official_val_loss_own_geometry", audit.losses.reported),
                format_metric("val_scored_fraction", fraction),
                audit.name,
                ", ".join(notes),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
