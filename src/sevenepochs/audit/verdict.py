"""RunAudit: what one run's number is worth, put together from its log, its siblings, or our own run folder.

Siblings are logs of one target with the same titles, vocabulary and tokens per epoch: one tokenizer on one split. A
training loss that holds more than the cross-entropy hides the dataset of its own log, but not that of the others.
Our own runs and results know the exact loss, so there is nothing to estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sevenepochs.audit.datasets import KNOWN_DATASETS, Dataset, Reference, is_challenge_log, recognise
from sevenepochs.audit.finding import Finding, Interval, plain
from sevenepochs.audit.geometry import Geometry, first_step_of, geometry_of
from sevenepochs.audit.log import Log, LoggedRun, clean, read_log
from sevenepochs.audit.oddities import findings_of
from sevenepochs.audit.windows import Coverage, corrected, coverage_of
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EPOCHS
from sevenepochs.store.facts import to_json
from sevenepochs.store.results import Result, result_of
from sevenepochs.store.run import Run, layout, storage

_ADVICE = "put its files back from a copy, or train again"
_LOSSY_RULE = "tokenizer loses nothing"  # as the certificate calls it
# Padding makes rows of whole titles look like more tokens than there are.
_NOT_OF_AN_UNFINISHED_RUN = {"titles", "dataset-unknown", "token-budget", "batch-mismatch"}
# The certificate judges these from what the trainer observed, so what the log suggests is left out.
_JUDGED_BY_CERTIFICATE = {"epochs", "seed"} | _NOT_OF_AN_UNFINISHED_RUN


@dataclass(frozen=True)
class Losses:
    """nats per character, as logged; steps from 1. The last is what the log reports."""

    last: float | None = None
    last_step: int | None = None
    best: float | None = None
    best_step: int | None = None


@dataclass(frozen=True)
class RunAudit:
    """The verdict on one run."""

    name: str
    source: str  # "log", "run folder" or "result"
    dataset: Dataset
    geometry: Geometry | None
    coverage: Coverage
    losses: Losses
    corrected: Interval | None = None  # the loss over the full validation text
    is_exact: bool = False  # `corrected` was measured by a run of ours
    track: str = "single"
    n_steps: int | None = None
    epochs_trained: float | None = None
    tokens_trained: int | None = None
    token_budget: int | None = None
    is_challenge: bool = False  # the challenge's own baseline.log, which is nobody's entry
    findings: tuple[Finding, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """The rules of all errors, each once: they must stand beside the number."""
        return tuple(dict.fromkeys(finding.rule for finding in self.findings if finding.severity == "error"))

    @property
    def ratio_to_stock(self) -> Interval | None:
        """Corrected loss / the stock program's on the same data; None on unknown data."""
        if self.corrected is None or self.dataset.known is None:
            return None
        # stock's own uncertainty is left out, because on the same tokens it is the run's
        return self.corrected.times(1 / self.dataset.known.stock_corrected)

    def to_dict(self) -> dict[str, Any]:
        """Return strict JSON values: intervals as {value, low, high}, numbers that are not finite as null."""
        ratio, known = self.ratio_to_stock, self.dataset.known
        source = known.stock_source if ratio is not None and known is not None else None
        stock = {"ratio_to_stock": plain(ratio), "stock_source": source}
        return {**plain(self), **stock, "group": self.dataset.name, "marks": list(self.marks)}


def _audit_run(run: LoggedRun, log: Log, reference: Reference | None, name: str) -> RunAudit:
    """Return the verdict on a run of a log."""
    geometry = geometry_of(run)
    first = first_step_of(run, geometry.window_tokens)
    dataset = recognise(geometry, first, run.started_unix, reference)
    coverage = coverage_of(geometry, dataset, first)
    finite = run.finite_evaluations
    losses = Losses()
    if finite:
        last, best = max(finite), min(finite, key=lambda step: (finite[step], step))
        losses = Losses(finite[last], last, finite[best], best)
    full = corrected(losses.last, coverage, geometry.n_val_titles)
    n_steps, per_epoch = run.training.last_step, geometry.tokens_per_epoch
    tokens = n_steps * (geometry.training_batch_tokens or 0) or None
    return RunAudit(
        name=name,
        source="log",
        dataset=dataset,
        geometry=geometry,
        coverage=coverage,
        losses=losses,
        corrected=full,
        n_steps=n_steps or None,
        epochs_trained=tokens / per_epoch if tokens and per_epoch else None,
        tokens_trained=tokens,
        token_budget=EPOCHS * per_epoch if per_epoch else None,
        is_challenge=is_challenge_log(run.evaluations),
        findings=findings_of(run, log, geometry, dataset, coverage, full),
    )


def audit_log(log: Log, reference: Reference | None = None) -> list[RunAudit]:
    """Return the verdict on each run of a log."""
    name, n_runs = clean(str(log.path)), len(log.runs)
    names = [f"{name} (run {i} of {n_runs})" if n_runs > 1 else name for i in range(1, n_runs + 1)]
    return [_audit_run(run, log, reference, own) for run, own in zip(log.runs, names, strict=True)]


def audit_together(logs: Sequence[Log], reference: Reference | None = None) -> list[RunAudit]:
    """Return the verdicts on the runs of one target's logs; a run on unknown data takes what a sibling proves."""
    alone = [(log, run, audit) for log in logs for run, audit in zip(log.runs, audit_log(log, reference), strict=True)]
    proofs: dict[object, list[Reference]] = {}
    for _, run, audit in alone:
        proof = _taught_by(run, audit)
        if proof is not None and audit.dataset.name is not None:
            confidence: Any = "possible" if audit.dataset.confidence == "possible" else "likely"
            dataset = replace(proof.dataset, r=audit.dataset.r, confidence=confidence)
            sibling = Reference(f"its sibling log {audit.name}", proof.tokens_per_epoch, dataset)
            proofs.setdefault(_family(audit), []).append(sibling)
    taught = []
    for log, run, audit in alone:
        siblings = proofs.get(_family(audit), [])
        if audit.dataset.name is None and len({proof.dataset.name for proof in siblings}) == 1:
            best = min(siblings, key=lambda proof: proof.dataset.confidence != "likely")
            audit = _audit_run(run, log, best, audit.name)
        taught.append(audit)
    return taught


def _family(audit: RunAudit) -> tuple[int | None, ...]:
    """Return what siblings have in common."""
    geometry = audit.geometry
    assert geometry is not None, "a log's audit has one"
    return geometry.n_train_titles, geometry.n_val_titles, geometry.tokens_per_epoch, geometry.vocab_size


def read_reference(path: Path) -> Reference:
    """Return what the run in a log or a run folder of ours tells about its data.

    Raises:
        UserError: it cannot be read, does not say how many tokens an epoch has, or is an unfinished run of ours.
    """
    if (path / layout.RUN).is_file():
        with storage.damage(clean(str(path)), _ADVICE):
            return _reference_of_run(Run(path))
    log = read_log(path)
    pairs = zip(log.runs, audit_log(log), strict=True)
    found = [reference for run, audit in pairs if (reference := _taught_by(run, audit)) is not None]
    if not found:
        raise UserError(f"{clean(str(path))} cannot be a reference: its log has no dataset_info with tokens_per_epoch")
    return min(found, key=lambda reference: reference.dataset.r.high - reference.dataset.r.low)


def _taught_by(run: LoggedRun, audit: RunAudit) -> Reference | None:
    """Return what a logged run tells about its data; None where it does not say how many tokens an epoch has."""
    geometry, coverage = audit.geometry, audit.coverage
    if geometry is None or geometry.tokens_per_epoch is None or coverage.val_tokens is None:
        return None
    first, window, windows = first_step_of(run, geometry.window_tokens), geometry.window_tokens, coverage.windows
    chars = Interval.exact(geometry.val_chars) if geometry.val_chars is not None else audit.dataset.validation_chars
    if chars is None and first is not None and first.doubt is None and windows is not None and window is not None:
        # (b) read backwards: the windows are known well enough, so the characters follow
        chars = windows.times(window / first.scored_per_char).widened(first.tolerance)
    r = coverage.val_tokens.times(1 / geometry.tokens_per_epoch)
    dataset = replace(audit.dataset, confidence="likely", r=r, validation_chars=chars)
    return Reference(f"the reference {audit.name}", geometry.tokens_per_epoch, dataset)


def _reference_of_run(run: Run) -> Reference:
    """Return a reference of exact counts, which a complete run of ours knows."""
    certificate = run.certificate
    if run.summary is None or certificate is None:
        raise UserError(f"run {run.name} is {run.state}; only a complete run can be a reference")
    n_tokens, train_tokens = len(run.load_tensors(layout.TITLE_LOSSES)["log_probs"]), _training(certificate)[1]
    r, chars = Interval.exact(n_tokens / train_tokens), Interval.exact(int(run.corpus["split"]["validation_chars"]))
    dataset = replace(_corpus(run.corpus), confidence="likely", r=r, validation_chars=chars)
    return Reference(f"the reference {run.name}", train_tokens, dataset)


def audit_own(path: Path) -> RunAudit:
    """Return the verdict on a run folder or a published result: exact where the run is complete, else as its log's.

    Raises:
        UserError: a file of it is missing or damaged.
    """
    with storage.damage(clean(str(path)), _ADVICE):
        if not (path / layout.RUN).is_file():
            return _audit_result(Result.read(path))
        run = Run(path)
        return _audit_result(result_of(run)) if run.is_ensemble else _audit_run_folder(run)


def _audit_run_folder(run: Run) -> RunAudit:
    log, certificate = read_log(run.path / layout.MAINRUN_LOG), run.certificate if run.summary is not None else None
    reference = _reference_of_run(run) if certificate is not None else None
    audit = _audit_run(log.runs[-1], log, reference, run.name)
    left_out = _JUDGED_BY_CERTIFICATE if certificate is not None else _NOT_OF_AN_UNFINISHED_RUN
    findings = tuple(one for one in audit.findings if one.rule not in left_out)
    audit = replace(audit, source="run folder", findings=findings)
    if certificate is None:
        return replace(audit, dataset=replace(audit.dataset, name=audit.dataset.name or _corpus(run.corpus).name))
    # counted by the trainer; the log knows steps and full rows alone, padding among them
    tokens, per_epoch = _training(certificate)
    audit = replace(audit, tokens_trained=tokens, epochs_trained=tokens / per_epoch)
    return _exact(audit, result_of(run), run.path / layout.CERTIFICATE)


def _training(certificate: dict[str, Any]) -> tuple[int, int]:
    """Return the tokens that a run trained on, and those of an epoch."""
    return int(certificate["training"]["tokens_used"]), int(certificate["training"]["train_tokens"])


def _audit_result(result: Result) -> RunAudit:
    facts, path = result.facts, result.path or Path(result.facts.run)
    coverage = Coverage("counted by the run itself")
    if result.figures.val_scored_fraction:
        scored = Interval.exact(result.figures.val_scored_fraction)
        coverage = replace(coverage, fraction=scored, multiplier=scored.inverse())
    losses = Losses(result.figures.official_val_loss_own_geometry, facts.n_steps)
    dataset = _corpus(to_json(facts.corpus))
    audit = RunAudit(clean(path.name), "result", dataset, None, coverage, losses, n_steps=facts.n_steps)
    return _exact(audit, result, path / "result.json")


def _exact(audit: RunAudit, result: Result, evidence: Path) -> RunAudit:
    """Return the audit with the run's own exact figure in the place of the corrected one."""
    corpus = _corpus(to_json(result.corpus))
    dataset = replace(corpus, r=audit.dataset.r, validation_chars=audit.dataset.validation_chars)
    findings = list(audit.findings)
    for broken in result.broken:
        rule = "lossy-tokenizer" if broken == _LOSSY_RULE else "certificate"
        message = f"the run's certificate says broken: {clean(broken)}"
        findings.append(Finding("error", rule, message, clean(str(evidence))))
    track, exact = result.facts.track or "single", Interval.exact(result.exact)
    return replace(audit, dataset=dataset, corrected=exact, is_exact=True, track=track, findings=tuple(findings))


def _corpus(corpus: dict[str, Any]) -> Dataset:
    """Return a corpus of ours: a recognised version, or its name with a hash of its split."""
    known = next((known for known in KNOWN_DATASETS if known.name == corpus.get("recognised")), None)
    if known is not None:
        return known.dataset("certain", "recognised by its rows and titles")
    name = clean(f"{corpus['name']} {corpus['split']['validation_titles_sha256'][:8]}")
    return Dataset(name, "certain", "our own corpus, by its hash", Interval.exact(1 / 9), None)
