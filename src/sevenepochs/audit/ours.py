"""Our own run folders and results: they know the exact loss, so there is nothing to estimate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sevenepochs.audit.datasets import Dataset, by_name
from sevenepochs.audit.events import clean
from sevenepochs.audit.finding import Finding
from sevenepochs.audit.interval import Interval
from sevenepochs.audit.log import read_log
from sevenepochs.audit.recognise import Reference
from sevenepochs.audit.verdict import Losses, RunAudit, audit_run, stock_corrected
from sevenepochs.audit.windows import Coverage
from sevenepochs.errors import UserError
from sevenepochs.store.facts import to_json
from sevenepochs.store.results import Result
from sevenepochs.store.run import Run, layout

_LOSSY_RULE = "tokenizer loses nothing"  # as the certificate calls it
# Padding makes rows of whole titles look like more tokens than there are.
_OF_FULL_ROWS = {"token-budget", "batch-mismatch"}
# The certificate judges these from what the trainer observed, so what the log suggests is left out.
_JUDGED_BY_CERTIFICATE = {"epochs", "seed", "titles", "dataset-unknown"} | _OF_FULL_ROWS


def audit_own_run(run: Run) -> RunAudit:
    """The verdict on a run folder: exact where it is complete, else what its log allows.

    Raises:
        UserError: a file of the folder is missing or damaged.
    """
    log = read_log(run.path / layout.MAINRUN_LOG)
    summary = run.summary
    corpus = _corpus(run.corpus, run.name)
    if summary is None:
        audit = audit_run(log.runs[-1], log.notes, None, run.name)
        known = {"titles", "dataset-unknown"} | _OF_FULL_ROWS
        kept = tuple(finding for finding in audit.findings if finding.rule not in known)
        dataset = audit.dataset if audit.dataset.name is not None else replace(audit.dataset, name=corpus.name)
        return replace(audit, source="run folder", dataset=dataset, group=dataset.name, findings=kept)
    reference = reference_of_run(run)
    audit = audit_run(log.runs[-1], log.notes, reference, run.name)
    certificate = run.certificate or {}
    kept = tuple(finding for finding in audit.findings if finding.rule not in _JUDGED_BY_CERTIFICATE)
    training = certificate.get("training") or {}
    tokens, per_epoch = (training.get(key) for key in ("tokens_used", "train_tokens"))
    if isinstance(tokens, int) and isinstance(per_epoch, int) and per_epoch:
        # counted by the trainer; the log knows steps and full rows alone, padding among them
        audit = replace(audit, tokens_trained=tokens, epochs_trained=tokens / per_epoch)
    return _exact(
        replace(audit, source="run folder", findings=kept),
        corpus,
        summary.get("figures"),
        certificate.get("track"),
        certificate.get("broken"),
        str(run.path / layout.CERTIFICATE),
    )


def audit_result(result: Result) -> RunAudit:
    """The verdict on a folder of results/."""
    facts = result.facts
    corpus = _corpus(to_json(facts.corpus), str(result.path))
    fraction = facts.figures.val_scored_fraction
    coverage = Coverage(
        val_tokens=None,
        windows=None,
        fraction=Interval.exact(fraction) if fraction is not None else None,
        multiplier=Interval.exact(1 / fraction) if fraction else None,
        by_tokens=None,
        by_first_step=None,
        by_step_1=None,
        agree=None,
        why="counted by the run itself",
    )
    audit = RunAudit(
        name=clean(result.path.name if result.path is not None else facts.run),
        source="result",
        dataset=corpus,
        geometry=None,
        coverage=coverage,
        losses=Losses(facts.figures.official_val_loss_own_geometry, facts.n_steps, None, None),
        corrected=None,
        is_exact=True,
        ratio_to_stock=None,
        stock_source=None,
        group=corpus.name,
        track="single",
        n_steps=facts.n_steps,
        epochs_trained=None,
        tokens_trained=None,
        token_budget=None,
        findings=(),
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
    tensors = run.load_tensors(layout.TITLE_LOSSES)
    corpus = run.corpus
    try:
        n_tokens, split = len(tensors["log_probs"]), corpus["split"]
        train_tokens = int(certificate["training"]["train_tokens"])
        return Reference(
            run.name,
            _corpus(corpus, run.name).name,
            train_tokens,
            int(split["n_train"]),
            Interval.exact(n_tokens / train_tokens),
            Interval.exact(int(split["validation_chars"])),
        )
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
        findings.append(Finding("error", name, message, clean(evidence), None, "certain"))
    known = corpus.known
    full = Interval.exact(exact)
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
    known = by_name(corpus.get("recognised"))
    if known is not None:
        how = "recognised by its rows and titles"
        return Dataset(known.name, "certain", how, known.r, known.validation_chars, known)
    split = corpus.get("split")
    digest = split.get("validation_titles_sha256") if isinstance(split, dict) else None
    name = f"{corpus.get('name')} {str(digest)[:8]}" if digest else str(corpus.get("name"))
    return Dataset(clean(name), "certain", "our own corpus, by its hash", Interval.exact(1 / 9), None, None)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def is_run_folder(path: Path) -> bool:
    return (path / layout.RUN).is_file()
