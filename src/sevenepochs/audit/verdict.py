"""RunAudit: what one run's number is worth, put together from its log."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sevenepochs.audit.correction import corrected
from sevenepochs.audit.datasets import Dataset, KnownDataset
from sevenepochs.audit.events import ReadNotes, clean
from sevenepochs.audit.finding import Finding
from sevenepochs.audit.first_step import first_step_of
from sevenepochs.audit.geometry import Geometry, geometry_of
from sevenepochs.audit.interval import Interval
from sevenepochs.audit.log import Log, LoggedRun
from sevenepochs.audit.oddities import course_findings, reading_findings, rule_findings
from sevenepochs.audit.recognise import Reference, recognise
from sevenepochs.audit.windows import Coverage, coverage_of
from sevenepochs.metrics import format_metric
from sevenepochs.protocol.budget import EPOCHS, STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE

_STOCK_WINDOW = STOCK_BATCH_SIZE * STOCK_BLOCK_SIZE


@dataclass(frozen=True)
class Losses:
    """nats per character, as logged; steps from 1."""

    last: float | None
    last_step: int | None
    best: float | None
    best_step: int | None

    @property
    def reported(self) -> float | None:
        """What the log prints at the end; where it is not a number there is nothing to report."""
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
    """

    name: str
    source: str
    dataset: Dataset
    geometry: Geometry | None
    coverage: Coverage | None
    losses: Losses
    corrected: Interval | None
    is_exact: bool
    ratio_to_stock: Interval | None
    stock_source: str | None
    group: str | None
    track: str
    n_steps: int | None
    epochs_trained: float | None
    tokens_trained: int | None
    token_budget: int | None
    findings: tuple[Finding, ...]

    @property
    def marks(self) -> tuple[str, ...]:
        """What must stand beside the number: the rules of all findings that are errors, each once."""
        return tuple(dict.fromkeys(finding.rule for finding in self.findings if finding.severity == "error"))

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON values: intervals as {value, low, high}, numbers that are not finite as null."""
        plain: dict[str, Any] = _plain({field: getattr(self, field) for field in self.__dataclass_fields__})
        return {**plain, "marks": list(self.marks)}


def audit_run(
    run: LoggedRun, notes: ReadNotes, reference: Reference | None = None, name: str | None = None
) -> RunAudit:
    """The verdict on a run of a log."""
    geometry = geometry_of(run)
    first = first_step_of(run, geometry.window_tokens)
    dataset = recognise(geometry, first, run.started_unix, reference)
    coverage = coverage_of(geometry, dataset, first)
    losses = _losses(run)
    full = corrected(losses.reported, coverage, geometry.n_val_titles)
    ratio = _ratio(full, dataset.known)
    n_steps = run.training.last_step or None
    tokens = n_steps * geometry.training_batch_tokens if n_steps and geometry.training_batch_tokens else None
    per_epoch = geometry.tokens_per_epoch
    findings = (
        *_number_findings(losses, coverage, full, dataset, geometry),
        *rule_findings(run, geometry, dataset),
        *course_findings(run, geometry),
        *reading_findings(notes, run),
    )
    return RunAudit(
        name=name or clean(str(run.path)),
        source="log",
        dataset=dataset,
        geometry=geometry,
        coverage=coverage,
        losses=losses,
        corrected=full,
        is_exact=False,
        ratio_to_stock=ratio,
        stock_source=dataset.known.stock_source if dataset.known and ratio else None,
        group=dataset.name,
        track="single",
        n_steps=n_steps,
        epochs_trained=tokens / per_epoch if tokens and per_epoch else None,
        tokens_trained=tokens,
        token_budget=EPOCHS * per_epoch if per_epoch else None,
        findings=findings,
    )


def audit_log(log: Log, reference: Reference | None = None) -> list[RunAudit]:
    """The verdict on each run of a log."""
    name = clean(str(log.path))
    n_runs = len(log.runs) + log.n_runs_left_out
    return [
        audit_run(run, log.notes, reference, f"{name} (run {i} of {n_runs})" if n_runs > 1 else name)
        for i, run in enumerate(log.runs, start=1)
    ]


def stock_corrected(known: KnownDataset) -> Interval:
    """The stock program's corrected loss on a known version, from what it prints and what it scores there."""
    tokens = known.r.times(known.tokens_per_epoch)
    windows = math.floor(tokens.value / (_STOCK_WINDOW + 1))
    return tokens.times(known.stock_val_loss / (windows * _STOCK_WINDOW))


def _ratio(full: Interval | None, known: KnownDataset | None) -> Interval | None:
    """Corrected / stock's corrected; stock's own uncertainty is left out, as on the same tokens it is the run's."""
    return full.times(1 / stock_corrected(known).value) if full is not None and known is not None else None


def _losses(run: LoggedRun) -> Losses:
    finite = run.finite_evaluations
    if not finite:
        return Losses(None, None, None, None)
    last, best = max(finite), min(finite, key=lambda step: (finite[step], step))
    return Losses(finite[last], last, finite[best], best)


def _number_findings(
    losses: Losses, coverage: Coverage, full: Interval | None, dataset: Dataset, geometry: Geometry
) -> Iterator[Finding]:
    """What the scored windows do to the number."""
    if coverage.windows is not None and coverage.windows.high == 0:
        message = "no evaluation window fits into the validation tokens, so evaluate() prints a perfect 0"
        yield Finding("error", "no-window", message, None, "the number is void", "likely")
    elif losses.reported is not None and losses.reported <= 0:
        message = f"a loss of {_loss(losses.reported)} is impossible: no model is certain of everything"
        yield Finding("error", "impossible-loss", message, None, "the number is void", "certain")
    if coverage.agree is False:
        yield Finding("warning", "window-estimates-disagree", coverage.why, None, None, "likely")
    if coverage.fraction is not None and full is not None and losses.reported is not None:
        dropped = 1 - coverage.fraction.value
        message = f"{format_metric('val_scored_fraction', dropped)} of the validation tokens were never scored"
        effect = f"{_loss(losses.reported)} as printed is about {_corrected(full)} over the full text"
        yield Finding("warning" if dropped > 0.07 else "note", "tail-drop", message, None, effect, "certain")
        if geometry.window_tokens not in (None, _STOCK_WINDOW) and coverage.val_tokens is not None:
            at_stock = math.floor(coverage.val_tokens.value / (_STOCK_WINDOW + 1)) * _STOCK_WINDOW
            if at_stock:
                message = f"windows of {geometry.window_tokens:,} tokens instead of the stock {_STOCK_WINDOW:,}"
                value = full.value * at_stock / coverage.val_tokens.value
                effect = f"at the stock geometry the same model would print about {_loss(value)}"
                yield Finding("note", "window-size", message, None, effect, "likely")
    best = dataset.known.best_known_corrected if dataset.known is not None else None
    if full is not None and best is not None and full.high < 0.9 * best:
        message = (
            f"{_corrected(full)} is far below the best lossless public result on version {dataset.name} "
            f"({format_metric('corrected_val_loss', best)})"
        )
        effect = "look for a lossy tokenizer, text inserted into validation, or a changed evaluate()"
        yield Finding("warning", "implausibly-low", message, None, effect, "possible")


def _loss(value: float) -> str:
    return format_metric("official_val_loss_own_geometry", value)


def _corrected(interval: Interval) -> str:
    return format_metric("corrected_val_loss", interval.value)


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return {key: _plain(bound) for key, bound in value._asdict().items()}
    if isinstance(value, (Dataset, Geometry, Coverage, Losses, KnownDataset)):
        return {key: _plain(getattr(value, key)) for key in value.__dataclass_fields__}
    if isinstance(value, Finding):
        return asdict(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
