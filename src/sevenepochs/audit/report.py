"""Audits as text or Markdown, and as a leaderboard: by corrected (ours: exact) loss, per dataset and track.

Entries that break a rule, lose text or never finished are shown where they would stand, without a rank.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from sevenepochs.audit.finding import Finding, Interval, plain, worst_first
from sevenepochs.audit.geometry import Geometry
from sevenepochs.audit.oddities import loss_text
from sevenepochs.audit.source.audit import SourceAudit
from sevenepochs.audit.target import TargetAudit
from sevenepochs.audit.verdict import RunAudit
from sevenepochs.metrics import format_metric

_SHOWN_LINES = 6  # of a changed place
_TRACKS = {"single": 0, "ensemble": 1, "context": 2}  # in the order of their boards
_UNFINISHED = ("unfinished", "no-final-evaluation")
_NOTE = (
    "Rank = 1 + the entries that are better for certain; '=' marks intervals that overlap with another ranked entry's. "
    "An exact figure is one run's: what another seed would give is not in it."
)

Rows = list[tuple[str, str]]  # label and text


class _Section(NamedTuple):
    """What the report says of a run or a source."""

    title: str
    rows: Rows
    diff: Sequence[str] = ()


def as_text(targets: Sequence[TargetAudit]) -> str:
    """Return the report for a terminal."""
    blocks = []
    for section in _sections(targets):
        rows = (f"  {label:<10} {text}" for label, text in section.rows)
        blocks.append("\n".join([section.title, *rows, *(f"    {line}" for line in section.diff)]))
    return "\n\n".join(blocks) + "\n"


def as_markdown(targets: Sequence[TargetAudit]) -> str:
    """Return the report for a document or a pull request."""
    blocks = ["# Audit"]
    for section in _sections(targets):
        blocks += [f"## {_md(section.title)}", "\n".join(f"- **{label}** {_md(text)}" for label, text in section.rows)]
        blocks += ["\n".join(f"    {line}" for line in section.diff)] if section.diff else []
    return "\n\n".join(blocks) + "\n"


def _md(text: str) -> str:
    """Text from outside must not become markup."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!" else c for c in text).replace("\n", " ")


def _sections(targets: Sequence[TargetAudit]) -> Iterator[_Section]:
    for target in targets:
        from_source: tuple[Finding, ...] = ()
        if target.source is not None:
            from_source = target.source.findings
            yield _of_source(target, target.source)
        for run in target.runs:
            title = run.name if not run.is_challenge else f"{run.name}: the challenge's baseline, not this entrant's"
            yield _Section(title, [*_facts(run), *_shown_findings(f for f in run.findings if f not in from_source)])
        if target.unread:
            skipped = [("skipped:", f"{name}: no log of the challenge") for name in target.unread]
            yield _Section(f"{target.path}: not read", skipped)


def _of_source(target: TargetAudit, source: SourceAudit) -> _Section:
    rows = [("in short", source.headline)]
    if source.program is not None:
        rows.append(("program", f"{source.program}, read and not executed"))
    settings: dict[str, list[str]] = {}
    for one in source.settings:
        settings.setdefault(one.role, []).append(str(one))
    if settings:
        rows.append(("settings", "; ".join(f"{role} {' or '.join(values[:4])}" for role, values in settings.items())))
    if not target.claims and not target.entries:
        rows.append(("log", "none of its own, and no text that claims a validation loss"))
    elif target.claims:
        rows.append(("log", "none of its own; what its texts claim follows"))
    rows += _shown_findings(source.findings)
    for place in source.places:
        if place.state == "changed":
            lines = ", ".join(place.changed[:_SHOWN_LINES]) or "something was taken out or moved"
            more = f" and {len(place.changed) - _SHOWN_LINES} more" if len(place.changed) > _SHOWN_LINES else ""
            rows.append(("changed:", f"{place.name} ({', '.join(place.where[:_SHOWN_LINES])}): read {lines}{more}"))
        elif place.state == "not found":
            rows.append(("missing:", f"{place.name}: not found, so not compared"))
    rows += [("claimed:", f"{claim.quote} [{claim.where}]: {claim.worth}") for claim in target.claims]
    diff = [line for place in source.places if place.diff for line in (f"# {place.name}", *place.diff)]
    return _Section(f"{target.path}: source", rows, diff)


def _shown_findings(findings: Iterable[Finding]) -> Rows:
    rows = []
    for finding in worst_first(findings):
        sure = finding.confidence if finding.confidence != "certain" else None
        details = ", ".join(part for part in (finding.evidence, sure) if part)
        effect = f"; {finding.effect}" if finding.effect else ""
        text = f"{finding.rule}: {finding.message}{effect}" + (f" [{details}]" if details else "")
        rows.append((f"{finding.severity}:", text))
    return rows


def _facts(run: RunAudit) -> Rows:
    """Return (label, value) of everything that is known about a run's number, most important first."""
    losses, reported, corrected = run.losses, "no validation loss", "cannot be told"
    if losses.last is not None:
        step = f" at step {losses.last_step:,}" if losses.last_step is not None else ""
        reported = f"{loss_text(losses.last)} nats/char{step}, as the log prints it"
    if run.corrected is not None:
        how = "measured, every validation token once" if run.is_exact else "over the full validation text"
        corrected = f"{_shown('corrected_val_loss', run.corrected)} nats/char {how}"
    rows = [("reported", reported), ("exact" if run.is_exact else "corrected", corrected)]
    if run.marks:
        rows.append(("beware", ", ".join(run.marks)))
    if run.ratio_to_stock is not None and run.dataset.known is not None:
        ratio = _shown("ratio_to_stock", run.ratio_to_stock)
        rows.append(("of stock", f"{ratio} on the same data; {run.dataset.known.stock_source}"))
    rows.append(("dataset", f"{run.dataset.name or 'unknown'} ({run.dataset.confidence}): {run.dataset.how}"))
    rows += [("scored", _scored(run)), ("windows", run.coverage.why)]
    if losses.best is not None and losses.best_step != losses.last_step:
        rows.append(("best", f"{loss_text(losses.best)} at step {losses.best_step:,}"))
    if run.geometry is not None:
        rows.append(("geometry", _sizes(run.geometry)))
    if run.n_steps is not None:
        trained = f"{format_metric('n_steps', run.n_steps)} steps"
        if run.epochs_trained is not None and run.tokens_trained is not None and run.token_budget is not None:
            trained += f", {run.epochs_trained:.2f} epochs, {run.tokens_trained:,} of {run.token_budget:,} tokens"
        rows.append(("trained", trained))
    return rows


def _shown(metric: str, interval: Interval | None) -> str:
    """Return 1.8203 (1.8181 to 1.8226), or one number where the bounds round to it."""
    return _bounds(interval, partial(format_metric, metric)) if interval is not None else "-"


def _bounds(interval: Interval, text: Callable[[float], str]) -> str:
    value, low, high = map(text, interval)
    return value if value == low == high else f"{value} ({low} to {high})"


def _scored(run: RunAudit) -> str:
    parts, coverage, count = [], run.coverage, "{:,.0f}".format
    if coverage.windows is not None and run.geometry is not None:
        parts.append(f"{_bounds(coverage.windows, count)} windows of {run.geometry.window_tokens:,} tokens")
    if coverage.fraction is not None:
        parts.append(f"{_shown('val_scored_fraction', coverage.fraction)} of the validation tokens")
    if coverage.val_tokens is not None:
        parts.append(f"which are {_bounds(coverage.val_tokens, count)}")
    return ", ".join(parts) or "unknown"


def _sizes(geometry: Geometry) -> str:
    parts = [f"batch {geometry.batch_size or 0:,} x block {geometry.block_size or 0:,}"]
    if geometry.window_tokens is None:
        parts = ["batch and block size unknown"]
    elif geometry.is_inferred:
        parts = [f"{geometry.window_tokens:,} tokens per batch (from tokens and batches of an epoch)"]
    parts += [f"vocabulary {geometry.vocab_size:,}"] if geometry.vocab_size is not None else []
    parts += (
        [f"{format_metric('parameters', geometry.parameters)} parameters"] if geometry.parameters is not None else []
    )
    return ", ".join(parts)


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
    """Return one board per dataset and track, the known datasets first."""
    boards: dict[tuple[str | None, str], list[RunAudit]] = {}
    for audit in sorted(audits, key=lambda a: (a.corrected.value if a.corrected is not None else math.inf, a.name)):
        boards.setdefault((audit.dataset.name, audit.track), []).append(audit)
    keys = sorted(boards, key=lambda key: (key[0] is None, key[0] or "", _TRACKS.get(key[1], len(_TRACKS)), key[1]))
    return [Board(*key, _entries(boards[key])) for key in keys]


def _entries(audits: Sequence[RunAudit]) -> tuple[Entry, ...]:
    competing = [interval for audit in audits if (interval := _competing(audit)) is not None]
    entries = []
    for audit in audits:
        own, rank, tied = _competing(audit), None, False
        if own is not None:
            rank = 1 + sum(other.high < own.low for other in competing)
            tied = sum(other.overlaps(own) for other in competing) > 1  # one of them is its own
        entries.append(Entry(rank, tied, audit))
    return tuple(entries)


def _competing(audit: RunAudit) -> Interval | None:
    """Return the loss by which an entry ranks; None where it does not compete."""
    return audit.corrected if audit.dataset.name is not None and not _marks(audit) else None


def _marks(audit: RunAudit) -> tuple[str, ...]:
    """Return the rules that keep an entry from competing: errors, and a log that ends before its run does."""
    return (*audit.marks, *(finding.rule for finding in audit.findings if finding.rule in _UNFINISHED))


def boards_as_dicts(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Return plain JSON values."""
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
        "reported": audit.losses.last,
        "corrected": plain(audit.corrected),
        "is_exact": audit.is_exact,
        "ratio_to_stock": plain(audit.ratio_to_stock),
        "dataset_confidence": audit.dataset.confidence,
    }


def boards_as_text(boards: Sequence[Board]) -> str:
    """Return a table per board, for a terminal."""
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
    notes = [*_marks(audit), *(["exact"] if audit.is_exact else [])]
    notes += ["dataset guessed"] if audit.dataset.confidence == "possible" else []
    return (
        entry.rank_text,
        _shown("corrected_val_loss", audit.corrected),
        format_metric("ratio_to_stock", audit.ratio_to_stock.value if audit.ratio_to_stock else None),
        format_metric("official_val_loss_own_geometry", audit.losses.last),
        format_metric("val_scored_fraction", audit.coverage.fraction.value if audit.coverage.fraction else None),
        audit.name,
        ", ".join(notes),
    )
