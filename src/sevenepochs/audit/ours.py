"""Our own run folders and results: they know the exact loss, so there is nothing to estimate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sevenepochs.audit.datasets import Dataset, Reference, dataset_named
from sevenepochs.audit.finding import Finding, Interval
from sevenepochs.audit.log import clean, read_log
from sevenepochs.audit.verdict import Losses, RunAudit, audit_run, stock_corrected
from sevenepochs.audit.windows import Coverage
from sevenepochs.errors import UserError
from sevenepochs.store.facts import to_json
from sevenepochs.store.results import Result
from sevenepochs.store.run import Run, layout

_LOSSY_RULE = "tokenizer loses nothing"  # as the certificate calls it
# Padding makes rows of whole titles look like more tokens than there are.
_OF_FULL_ROWS = {"token-budget", "batch-mismatch"}
_NOT_OF_AN_UNFINISHED_RUN = {"titles", "dataset-unknown"} | _OF_FULL_ROWS
# The certificate judges these from what the trainer observed, so what the log suggests is left out.
_JUDGED_BY_CERTIFICATE = {"epochs", "seed"} | _NOT_OF_AN_UNFINISHED_RUN


def is_run_folder(path: Path) -> bool:
    return (path / layout.RUN).is_file()


def audit_own(path: Path) -> RunAudit:
    """The verdict on a run folder or a published result: exact where the run is complete, else what its log allows.

    Raises:
        UserError: a file of it is missing or damaged.
    """
    return _audit_run_folder(Run(path)) if is_run_folder(path) else _audit_result(Result.read(path))


def _audit_run_folder(run: Run) -> RunAudit:
    log, summary, corpus = read_log(run.path / layout.MAINRUN_LOG), run.summary, _corpus(run.corpus, run.name)
    reference = reference_of_run(run) if summary is not None else None
    audit = replace(audit_run(log.runs[-1], log.notes, reference, run.name), source="run folder")
    left_out = _JUDGED_BY_CERTIFICATE if summary is not None else _NOT_OF_AN_UNFINISHED_RUN
    audit = replace(audit, findings=tuple(one for one in audit.findings if one.rule not in left_out))
    if summary is None:
        dataset = audit.dataset if audit.dataset.name is not None else replace(audit.dataset, name=corpus.name)
        return replace(audit, dataset=dataset, group=dataset.name)
    certificate = run.certificate or {}
    training = certificate.get("training") or {}
    tokens, per_epoch = (training.get(key) for key in ("tokens_used", "train_tokens"))
    if isinstance(tokens, int) and isinstance(per_epoch, int) and per_epoch:
        # counted by the trainer; the log knows steps and full rows alone, padding among them
        audit = replace(audit, tokens_trained=tokens, epochs_trained=tokens / per_epoch)
    judged = (certificate.get("track"), certificate.get("broken"), str(run.path / layout.CERTIFICATE))
    return _exact(audit, corpus, summary.get("figures"), *judged)


def _audit_result(result: Result) -> RunAudit:
    facts = result.facts
    corpus = _corpus(to_json(facts.corpus), str(result.path))
    fraction = facts.figures.val_scored_fraction
    audit = RunAudit(
        name=clean(result.path.name if result.path is not None else facts.run),
        source="result",
        dataset=corpus,
        geometry=None,
        coverage=Coverage(
            "counted by the run itself",
            fraction=Interval.exact(fraction) if fraction is not None else None,
            multiplier=Interval.exact(1 / fraction) if fraction else None,
        ),
        losses=Losses(facts.figures.official_val_loss_own_geometry, facts.n_steps),
        n_steps=facts.n_steps,
    )
    evidence = str(result.path and result.path / "result.json")
    return _exact(audit, corpus, facts.figures.by_name(), facts.track, list(result.broken), evidence)


def reference_of_run(run: Run) -> Reference:
    """What a complete run of ours knows of its data: all of it.

    Raises:
        UserError: it is not complete, or damaged.
    """
    certificate = run.certificate
    if run.summary is None or certificate is None:
        raise UserError(f"run {run.name} is {run.state}; only a complete run can be a reference")
    n_tokens, name = len(run.load_tensors(layout.TITLE_LOSSES)["log_probs"]), _corpus(run.corpus, run.name).name
    try:
        split, train_tokens = run.corpus["split"], int(certificate["training"]["train_tokens"])
        r, chars = Interval.exact(n_tokens / train_tokens), Interval.exact(int(split["validation_chars"]))
        return Reference(run.name, name, train_tokens, int(split["n_train"]), r, chars)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"the certificate or corpus of run {run.name} is damaged ({error}); train again") from None


def _exact(audit: RunAudit, corpus: Dataset, figures: Any, track: Any, broken: Any, evidence: str) -> RunAudit:
    """The audit with the run's own exact figure in the place of the corrected one."""
    exact = _number(figures.get("exact_val_loss")) if isinstance(figures, dict) else None
    if exact is None:
        raise UserError(f"{clean(audit.name)} has no exact_val_loss; train or publish it again")
    findings = [*audit.findings]
    for rule in broken if isinstance(broken, list) else []:
        name = "lossy-tokenizer" if rule == _LOSSY_RULE else "certificate"
        message = f"the run's certificate says broken: {clean(str(rule))}"
        findings.append(Finding("error", name, message, clean(evidence)))
    known, full = corpus.known, Interval.exact(exact)
    return replace(
        audit,
        dataset=replace(audit.dataset, name=corpus.name, confidence=corpus.confidence, how=corpus.how, known=known),
        corrected=full,
        is_exact=True,
        ratio_to_stock=full.times(1 / stock_corrected(known).value) if known is not None else None,
        stock_source=known.stock_source if known is not None else None,
        group=corpus.name,
        track=track if isinstance(track, str) else "single",
        findings=tuple(findings),
    )


def _corpus(corpus: Any, where: str) -> Dataset:
    """The corpus as our own files describe it: a recognised version, or its name with a hash of its validation."""
    if not isinstance(corpus, dict):
        raise UserError(f"{clean(where)} describes no corpus; train or publish it again")
    known = dataset_named(corpus.get("recognised"))
    if known is not None:
        how = "recognised by its rows and titles"
        return Dataset(known.name, "certain", how, known.r, known.validation_chars, known)
    split = corpus.get("split")
    digest = split.get("validation_titles_sha256") if isinstance(split, dict) else None
    name = clean(f"{corpus.get('name')} {str(digest)[:8]}" if digest else str(corpus.get("name")))
    return Dataset(name, "certain", "our own corpus, by its hash", Interval.exact(1 / 9), None)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
