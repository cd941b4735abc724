"""RunAudit: what one run's number is worth, put together from its log."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from sevenepochs.audit.datasets import Dataset, KnownDataset, Reference, is_challenge_log, recognise
from sevenepochs.audit.finding import Finding, Interval
from sevenepochs.audit.geometry import Geometry, first_step_of, geometry_of
from sevenepochs.audit.log import Log, LoggedRun, ReadNotes, clean
from sevenepochs.audit.oddities import findings_of, loss_text
from sevenepochs.audit.windows import Coverage, corrected, coverage_of
from sevenepochs.metrics import format_metric
from sevenepochs.protocol.budget import EPOCHS, STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE

_STOCK_WINDOW = STOCK_BATCH_SIZE * STOCK_BLOCK_SIZE


@dataclass(frozen=True)
class Losses:
    """nats per character, as logged; steps from 1. The last is what the log reports."""

    last: float | None = None
    last_step: int | None = None
    best: float | None = None
    best_step: int | None = None

    @property
    def reported(self) -> float | None:
        return self.last


@dataclass(frozen=True)
class RunAudit:
    """The verdict on one run.

    Attributes:
        source: "log", "run folder" or "result".
        corrected: the loss over the full validation text; for our own runs the exact one, with no width.
        is_exact: whether it is.
        ratio_to_stock: corrected / the stock program's corrected loss on the same data; None on unknown data.
        group: entries of equal group were validated on the same titles; None where that is not known.
        is_challenge: it is the challenge's own baseline.log, which is nobody's entry.
    """

    name: str
    source: str
    dataset: Dataset
    geometry: Geometry | None
    coverage: Coverage | None
    losses: Losses
    corrected: Interval | None = None
    is_exact: bool = False
    ratio_to_stock: Interval | None = None
    stock_source: str | None = None
    group: str | None = None
    track: str = "single"
    n_steps: int | None = None
    epochs_trained: float | None = None
    tokens_trained: int | None = None
    token_budget: int | None = None
    is_challenge: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """What must stand beside the number: the rules of all findings that are errors, each once."""
        return tuple(dict.fromkeys(finding.rule for finding in self.findings if finding.severity == "error"))

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON values: intervals as {value, low, high}, numbers that are not finite as null."""
        return {**_plain(self), "marks": list(self.marks)}


def audit_run(
    run: LoggedRun, notes: ReadNotes, reference: Reference | None = None, name: str | None = None
) -> RunAudit:
    """The verdict on a run of a log."""
    geometry = geometry_of(run)
    first = first_step_of(run, geometry.window_tokens)
    dataset = recognise(geometry, first, run.started_unix, reference)
    coverage = coverage_of(geometry, dataset, first)
    finite = run.finite_evaluations
    losses = Losses()
    if finite:
        last, best = max(finite), min(finite, key=lambda step: (finite[step], step))
        losses = Losses(finite[last], last, finite[best], best)
    full = corrected(losses.reported, coverage, geometry.n_val_titles)
    # stock's own uncertainty is left out, as on the same tokens it is the run's
    ratio = full.times(1 / stock_corrected(dataset.known).value) if full is not None and dataset.known else None
    n_steps, per_epoch = run.training.last_step or None, geometry.tokens_per_epoch
    tokens = n_steps * geometry.training_batch_tokens if n_steps and geometry.training_batch_tokens else None
    findings = (
        *_number_findings(losses, coverage, full, dataset, geometry),
        *findings_of(run, geometry, dataset, notes),
    )
    return RunAudit(
        name=name or clean(str(run.path)),
        source="log",
        dataset=dataset,
        geometry=geometry,
        coverage=coverage,
        losses=losses,
        corrected=full,
        ratio_to_stock=ratio,
        stock_source=dataset.known.stock_source if dataset.known and ratio else None,
        group=dataset.name,
        n_steps=n_steps,
        epochs_trained=tokens / per_epoch if tokens and per_epoch else None,
        tokens_trained=tokens,
        token_budget=EPOCHS * per_epoch if per_epoch else None,
        is_challenge=is_challenge_log(run.evaluations),
        findings=findings,
    )


def audit_log(log: Log, reference: Reference | None = None) -> list[RunAudit]:
    """The verdict on each run of a log."""
    name = clean(str(log.path))
    n_runs = len(log.runs) + log.n_runs_left_out
    names = [f"{name} (run {i} of {n_runs})" if n_runs > 1 else name for i in range(1, len(log.runs) + 1)]
    return [audit_run(run, log.notes, reference, own) for run, own in zip(log.runs, names, strict=True)]


def stock_corrected(known: KnownDataset) -> Interval:
    """The stock program's corrected loss on a known version, from what it prints and what it scores there."""
    tokens = known.r.times(known.tokens_per_epoch)
    windows = math.floor(tokens.value / (_STOCK_WINDOW + 1))
    return tokens.times(known.stock_val_loss / (windows * _STOCK_WINDOW))


def _number_findings(
    losses: Losses, coverage: Coverage, full: Interval | None, dataset: Dataset, geometry: Geometry
) -> Iterator[Finding]:
    """What the scored windows do to the number."""
    reported, tokens = losses.reported, coverage.val_tokens
    if coverage.windows is not None and coverage.windows.high == 0:
        message = "no evaluation window fits into the validation tokens, so evaluate() prints a perfect 0"
        yield Finding("error", "no-window", message, None, "the number is void", "likely")
    elif reported is not None and reported <= 0:
        message = f"a loss of {loss_text(reported)} is impossible: no model is certain of everything"
        yield Finding("error", "impossible-loss", message, None, "the number is void")
    if coverage.agree is False:
        yield Finding("warning", "window-estimates-disagree", coverage.why, None, None, "likely")
    if full is None:
        return
    shown = format_metric("corrected_val_loss", full.value)
    if coverage.fraction is not None and reported is not None:
        dropped = 1 - coverage.fraction.value
        message = f"{format_metric('val_scored_fraction', dropped)} of the validation tokens were never scored"
        effect = f"{loss_text(reported)} as printed is about {shown} over the full text"
        yield Finding("warning" if dropped > 0.07 else "note", "tail-drop", message, None, effect)
        at_stock = math.floor(tokens.value / (_STOCK_WINDOW + 1)) * _STOCK_WINDOW if tokens is not None else 0
        if geometry.window_tokens not in (None, _STOCK_WINDOW) and tokens is not None and at_stock:
            message = f"windows of {geometry.window_tokens:,} tokens instead of the stock {_STOCK_WINDOW:,}"
            value = loss_text(full.value * at_stock / tokens.value)
            effect = f"at the stock geometry the same model would print about {value}"
            yield Finding("note", "window-size", message, None, effect, "likely")
    best = dataset.known.best_known_corrected if dataset.known is not None else None
    if best is not None and full.high < 0.9 * best:
        best_shown = format_metric("corrected_val_loss", best)
        message = f"{shown} is far below the best lossless public result on version {dataset.name} ({best_shown})"
        effect = "look for a lossy tokenizer, text inserted into validation, or a changed evaluate()"
        yield Finding("warning", "implausibly-low", message, None, effect, "possible")


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return {key: _plain(bound) for key, bound in value._asdict().items()}
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
