"""An audit as text or Markdown: the same sections of labelled facts and findings, laid out two ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sevenepochs.audit.finding import SEVERITIES, Finding, Interval
from sevenepochs.audit.geometry import Geometry
from sevenepochs.audit.oddities import loss_text
from sevenepochs.audit.source.audit import SourceAudit
from sevenepochs.audit.target import TargetAudit
from sevenepochs.audit.verdict import RunAudit
from sevenepochs.audit.windows import Coverage
from sevenepochs.metrics import format_metric

_SHOWN_LINES = 6  # of a changed place


@dataclass
class _Section:
    """A title, (label, value) rows, (kind, sentence) items, and the lines of a diff."""

    title: str
    rows: list[tuple[str, str]]
    items: list[tuple[str, str]] = field(default_factory=list)
    diff: list[str] = field(default_factory=list)


def _sections(targets: Sequence[TargetAudit]) -> Iterator[_Section]:
    for target in targets:
        if target.source is not None:
            section = _of_source(target.path, target.source)
            if target.claims:
                section.rows.append(("log", "none of its own; what its texts claim follows"))
                section.items += [("claimed", f"{c.quote} [{c.where}]: {c.worth}") for c in target.claims]
            elif not target.entries:
                section.rows.append(("log", "none of its own, and no text that claims a validation loss"))
            yield section
        from_source = target.source.findings if target.source is not None else ()
        for run in target.runs:
            title = run.name if not run.is_challenge else f"{run.name}: the challenge's baseline, not this entrant's"
            yield _Section(title, facts(run), _items([f for f in run.findings if f not in from_source]))
        if target.unread:
            skipped = [("skipped", f"{name}: no log of the challenge") for name in target.unread]
            yield _Section(f"{target.path}: not read", [], skipped)


def _of_source(path: str, source: SourceAudit) -> _Section:
    rows = [("in short", source.headline)]
    if source.program is not None:
        rows.append(("program", f"{source.program}, read and not executed"))
    settings: dict[str, list[str]] = {}
    for setting in source.settings:
        settings.setdefault(setting.role, []).append(str(setting))
    if settings:
        rows.append(("settings", "; ".join(f"{role} {' or '.join(values[:4])}" for role, values in settings.items())))
    items = []
    for place in source.places:
        if place.state == "changed":
            lines = ", ".join(place.changed[:_SHOWN_LINES]) or "something was taken out or moved"
            more = f" and {len(place.changed) - _SHOWN_LINES} more" if len(place.changed) > _SHOWN_LINES else ""
            items.append(("changed", f"{place.name} ({', '.join(place.where[:_SHOWN_LINES])}): read {lines}{more}"))
        elif place.state == "not found":
            items.append(("missing", f"{place.name}: not found, so not compared"))
    diff = [line for place in source.places if place.diff for line in (f"# {place.name}", *place.diff)]
    return _Section(f"{path}: source", rows, [*_items(source.findings), *items], diff)


def _items(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    ordered = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    return [(finding.severity, sentence(finding)) for finding in ordered]


def sentence(finding: Finding) -> str:
    """The finding in one line, without its severity."""
    sure = finding.confidence if finding.confidence != "certain" else None
    details = ", ".join(part for part in (finding.evidence, sure) if part)
    effect = f"; {finding.effect}" if finding.effect else ""
    return f"{finding.rule}: {finding.message}{effect}" + (f" [{details}]" if details else "")


def as_text(targets: Sequence[TargetAudit]) -> str:
    """For a terminal."""
    blocks = []
    for section in _sections(targets):
        lines = [section.title, *(f"  {label:<10} {value}" for label, value in section.rows)]
        lines += [f"  {kind + ':':<10} {text}" for kind, text in section.items]
        blocks.append("\n".join([*lines, *(f"    {line}" for line in section.diff)]))
    return "\n\n".join(blocks) + "\n"


def as_markdown(targets: Sequence[TargetAudit]) -> str:
    """For a report or a pull request."""
    lines = ["# Audit", ""]
    for section in _sections(targets):
        lines += [f"## {_md(section.title)}", ""]
        rows = [f"| {label} | {_md(value)} |" for label, value in section.rows]
        lines += ["| | |", "|---|---|", *rows, ""] if rows else []
        lines += [*(f"- **{kind}** {_md(text)}" for kind, text in section.items), ""]
        lines += [*(f"    {line}" for line in section.diff), ""] if section.diff else []
    return "\n".join(lines).rstrip() + "\n"


def _md(text: str) -> str:
    """Text from outside must not become markup."""
    escaped = "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!" else c for c in text)
    return escaped.replace("\n", " ")


def facts(run: RunAudit) -> list[tuple[str, str]]:
    """(label, value) of everything that is known about a run's number, most important first."""
    losses, exact = run.losses, "measured, every validation token once"
    step = f" at step {losses.last_step:,}" if losses.last_step is not None else ""
    reported = f"{loss_text(losses.last)} nats/char{step}, as the log prints it" if losses.last is not None else None
    corrected = f"{shown('corrected_val_loss', run.corrected)} nats/char "
    corrected += exact if run.is_exact else "over the full validation text"
    rows = [
        ("reported", reported or "no validation loss"),
        ("exact" if run.is_exact else "corrected", corrected if run.corrected is not None else "cannot be told"),
    ]
    if run.marks:
        rows.append(("beware", ", ".join(run.marks)))
    if run.ratio_to_stock is not None:
        rows.append(("of stock", f"{shown('ratio_to_stock', run.ratio_to_stock)} on the same data; {run.stock_source}"))
    rows.append(("dataset", f"{run.dataset.name or 'unknown'} ({run.dataset.confidence}): {run.dataset.how}"))
    if run.coverage is not None:
        rows += [("scored", _scored(run.coverage, run.geometry)), ("windows", run.coverage.why)]
    if losses.best is not None and losses.best_step != losses.last_step:
        rows.append(("best", f"{loss_text(losses.best)} at step {losses.best_step:,}"))
    if run.geometry is not None:
        rows.append(("geometry", _geometry(run.geometry)))
    if run.n_steps is not None:
        trained = f"{format_metric('n_steps', run.n_steps)} steps"
        if run.epochs_trained is not None and run.tokens_trained is not None and run.token_budget is not None:
            trained += f", {run.epochs_trained:.2f} epochs, {run.tokens_trained:,} of {run.token_budget:,} tokens"
        rows.append(("trained", trained))
    return rows


def shown(metric: str, interval: Interval | None) -> str:
    """1.8203 (1.8181 to 1.8226), or one number where the bounds round to it."""
    if interval is None:
        return "-"
    value, low, high = (format_metric(metric, bound) for bound in interval)
    return value if value == low == high else f"{value} ({low} to {high})"


def _whole(interval: Interval) -> str:
    value, low, high = (f"{bound:,.0f}" for bound in interval)
    return f"{value} ({low} to {high})" if interval.low < interval.high else value


def _scored(coverage: Coverage, geometry: Geometry | None) -> str:
    parts = []
    if coverage.windows is not None and geometry is not None:
        parts.append(f"{_whole(coverage.windows)} windows of {geometry.window_tokens:,} tokens")
    if coverage.fraction is not None:
        parts.append(f"{shown('val_scored_fraction', coverage.fraction)} of the validation tokens")
    if coverage.val_tokens is not None:
        parts.append(f"which are {_whole(coverage.val_tokens)}")
    return ", ".join(parts) or "unknown"


def _geometry(geometry: Geometry) -> str:
    parts = [f"batch {geometry.batch_size or 0:,} x block {geometry.block_size or 0:,}"]
    if geometry.window_tokens is None:
        parts = ["batch and block size unknown"]
    elif geometry.is_inferred:
        parts = [f"{geometry.window_tokens:,} tokens per batch (from tokens and batches of an epoch)"]
    parts += [f"vocabulary {geometry.vocab_size:,}"] if geometry.vocab_size is not None else []
    n_parameters = geometry.parameters
    parts += [f"{format_metric('parameters', n_parameters)} parameters"] if n_parameters is not None else []
    return ", ".join(parts)
