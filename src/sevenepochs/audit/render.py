"""An audit as text, Markdown or HTML: the same labelled facts and findings, laid out three ways."""

from __future__ import annotations

import html
from collections.abc import Sequence

from sevenepochs.audit.finding import Finding
from sevenepochs.audit.interval import Interval
from sevenepochs.audit.target import TargetAudit
from sevenepochs.audit.verdict import RunAudit
from sevenepochs.metrics import format_metric

_ORDER = {"error": 0, "warning": 1, "note": 2}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "td,th{text-align:left;vertical-align:top;padding:.1rem 1rem .1rem 0}"
    ".error{color:#b00020}.warning{color:#8a5a00}.note{color:#555}"
)


def facts(run: RunAudit) -> list[tuple[str, str]]:
    """(label, value) of everything that is known about a run's number, most important first."""
    rows = [("reported", _reported(run)), ("exact" if run.is_exact else "corrected", _corrected(run))]
    if run.marks:
        rows.append(("beware", ", ".join(run.marks)))
    if run.ratio_to_stock is not None:
        rows.append(("of stock", f"{shown('ratio_to_stock', run.ratio_to_stock)} on the same data; {run.stock_source}"))
    rows.append(("dataset", f"{run.dataset.name or 'unknown'} ({run.dataset.confidence}): {run.dataset.how}"))
    rows.extend(_scored(run))
    if (best := run.losses.best) is not None and run.losses.best_step != run.losses.last_step:
        rows.append(("best", f"{_own(best)} at step {run.losses.best_step:,}"))
    if run.geometry is not None:
        rows.append(("geometry", _geometry(run)))
    if run.n_steps is not None:
        rows.append(("trained", _trained(run)))
    return rows


def shown(metric: str, interval: Interval | None) -> str:
    """1.8203 (1.8181 to 1.8226), or one number where the bounds round to it."""
    if interval is None:
        return "-"
    value, low, high = (format_metric(metric, bound) for bound in interval)
    return value if value == low == high else f"{value} ({low} to {high})"


def _own(value: float) -> str:
    return format_metric("official_val_loss_own_geometry", value)


def _reported(run: RunAudit) -> str:
    if run.losses.last is None:
        return "no validation loss"
    step = f" at step {run.losses.last_step:,}" if run.losses.last_step is not None else ""
    return f"{_own(run.losses.last)} nats/char{step}, as the log prints it"


def _corrected(run: RunAudit) -> str:
    if run.corrected is None:
        return "cannot be told"
    what = "measured, every validation token once" if run.is_exact else "over the full validation text"
    return f"{shown('corrected_val_loss', run.corrected)} nats/char {what}"


def _scored(run: RunAudit) -> list[tuple[str, str]]:
    coverage = run.coverage
    if coverage is None:
        return []
    parts = []
    if (windows := coverage.windows) is not None and run.geometry is not None:
        span = f" ({windows.low:,.0f} to {windows.high:,.0f})" if windows.low < windows.high else ""
        parts.append(f"{windows.value:,.0f}{span} windows of {run.geometry.window_tokens:,} tokens")
    if coverage.fraction is not None:
        parts.append(f"{shown('val_scored_fraction', coverage.fraction)} of the validation tokens")
    if (tokens := coverage.val_tokens) is not None:
        between = f" ({tokens.low:,.0f} to {tokens.high:,.0f})" if tokens.low < tokens.high else ""
        parts.append(f"which are {tokens.value:,.0f}{between}")
    return [("scored", ", ".join(parts) or "unknown"), ("windows", coverage.why)]


def _geometry(run: RunAudit) -> str:
    g = run.geometry
    assert g is not None, "asked for only where there is one"
    if g.window_tokens is None:
        size = "batch and block size unknown"
    elif g.is_inferred:
        size = f"{g.window_tokens:,} tokens a batch (from tokens and batches of an epoch)"
    else:
        size = f"batch {g.batch_size:,} x block {g.block_size:,}"
    vocabulary = f", vocabulary {g.vocab_size:,}" if g.vocab_size is not None else ""
    parameters = f", {format_metric('parameters', g.parameters)} parameters" if g.parameters is not None else ""
    return size + vocabulary + parameters


def _trained(run: RunAudit) -> str:
    text = f"{format_metric('n_steps', run.n_steps)} steps"
    if run.epochs_trained is not None and run.tokens_trained is not None and run.token_budget is not None:
        text += f", {run.epochs_trained:.2f} epochs, {run.tokens_trained:,} of {run.token_budget:,} tokens"
    return text


def sentence(finding: Finding) -> str:
    """The finding in one line, without its severity."""
    text = f"{finding.rule}: {finding.message}"
    if finding.effect:
        text += f"; {finding.effect}"
    details = [
        part for part in (finding.evidence, finding.confidence if finding.confidence != "certain" else "") if part
    ]
    return f"{text} [{', '.join(details)}]" if details else text


def _own_findings(run: RunAudit, source: Sequence[Finding] | None) -> list[Finding]:
    kept = [finding for finding in run.findings if finding not in (source or ())]
    return sorted(kept, key=lambda finding: _ORDER[finding.severity])


def _source_findings(target: TargetAudit) -> list[Finding]:
    return sorted(target.source or (), key=lambda finding: _ORDER[finding.severity])


def as_text(targets: Sequence[TargetAudit]) -> str:
    """For a terminal."""
    lines: list[str] = []
    for target in targets:
        for run in target.runs:
            lines.append(run.name)
            lines += [f"  {label:<10} {value}" for label, value in facts(run)]
            lines += [f"  {f.severity + ':':<10} {sentence(f)}" for f in _own_findings(run, target.source)]
            lines.append("")
        if target.source is not None:
            lines.append(f"{target.path}: source, read and not executed")
            lines += [f"  {f.severity + ':':<10} {sentence(f)}" for f in _source_findings(target)] or [
                "  nothing found"
            ]
            lines.append("")
        lines += [f"{name}: no log of the challenge, skipped" for name in target.unread]
    return "\n".join(lines).rstrip() + "\n"


def as_markdown(targets: Sequence[TargetAudit]) -> str:
    """For a report or a pull request."""
    lines = ["# Audit", ""]
    for target in targets:
        for run in target.runs:
            lines += [f"## {_md(run.name)}", "", "| | |", "|---|---|"]
            lines += [f"| {label} | {_md(value)} |" for label, value in facts(run)]
            lines += ["", *_md_findings(_own_findings(run, target.source))]
        if target.source is not None:
            lines += [f"## {_md(target.path)}: source", "", *_md_findings(_source_findings(target))]
        lines += [f"- {_md(name)}: no log of the challenge, skipped" for name in target.unread]
    return "\n".join(lines).rstrip() + "\n"


def _md_findings(findings: Sequence[Finding]) -> list[str]:
    return [f"- **{f.severity}** {_md(sentence(f))}" for f in findings] + [""]


def _md(text: str) -> str:
    """Text from outside must not become markup."""
    escaped = "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!" else c for c in text)
    return escaped.replace("\n", " ")


def as_html(targets: Sequence[TargetAudit]) -> str:
    """One page that needs nothing else: no script, no link to elsewhere."""
    body: list[str] = ["<h1>Audit</h1>"]
    for target in targets:
        for run in target.runs:
            rows = "".join(f"<tr><th>{_h(label)}</th><td>{_h(value)}</td></tr>" for label, value in facts(run))
            body.append(f"<h2>{_h(run.name)}</h2>\n<table>{rows}</table>")
            body.append(_html_findings(_own_findings(run, target.source)))
        if target.source is not None:
            body.append(f"<h2>{_h(target.path)}: source</h2>")
            body.append(_html_findings(_source_findings(target)))
        body += [f"<p>{_h(name)}: no log of the challenge, skipped</p>" for name in target.unread]
    head = f'<head><meta charset="utf-8"><title>Audit</title><style>{_STYLE}</style></head>'
    return f'<!doctype html>\n<html lang="en">{head}' + "<body>\n" + "\n".join(body) + "\n</body></html>\n"


def _html_findings(findings: Sequence[Finding]) -> str:
    items = "".join(f'<li class="{f.severity}"><b>{f.severity}</b> {_h(sentence(f))}</li>' for f in findings)
    return f"<ul>{items}</ul>" if items else "<p>Nothing found.</p>"


def _h(text: str) -> str:
    return html.escape(text, quote=True)
