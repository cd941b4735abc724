"""What another run on the same data teaches: one named by `--reference`, or a sibling log of the same repository.

Siblings have the same titles, the same vocabulary and the same tokens per epoch: one tokenizer on one split. A training
loss that holds more than the cross-entropy hides the dataset of its own log; it does not hide that of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from sevenepochs.audit.datasets import Reference
from sevenepochs.audit.finding import Interval
from sevenepochs.audit.geometry import Geometry, first_step_of
from sevenepochs.audit.log import Log, LoggedRun, clean, read_log
from sevenepochs.audit.ours import is_run_folder, reference_of_run
from sevenepochs.audit.verdict import RunAudit, audit_log, audit_run
from sevenepochs.errors import UserError
from sevenepochs.store.run import Run


def read_reference(path: Path) -> Reference:
    """What the run in a log or a run folder of ours tells about its data.

    Raises:
        UserError: it cannot be read, or does not say how many tokens an epoch has.
    """
    if is_run_folder(path):
        return reference_of_run(Run(path))
    log = read_log(path)
    pairs = zip(log.runs, audit_log(log), strict=True)
    found = [reference for run, audit in pairs if (reference := _taught_by(run, audit)) is not None]
    if not found:
        message = f"{clean(str(path))} cannot be a reference: its log has no dataset_info with tokens_per_epoch"
        raise UserError(message)
    return min(found, key=lambda reference: reference.r.half_width)


def _taught_by(run: LoggedRun, audit: RunAudit) -> Reference | None:
    geometry, coverage = audit.geometry, audit.coverage
    if geometry is None or coverage is None or geometry.tokens_per_epoch is None or coverage.val_tokens is None:
        return None
    first, window, windows = first_step_of(run, geometry.window_tokens), geometry.window_tokens, coverage.windows
    chars = Interval.exact(geometry.val_chars) if geometry.val_chars is not None else audit.dataset.validation_chars
    if chars is None and first is not None and first.is_valid and windows is not None and window is not None:
        # (b) read backwards: the windows are known well enough, so the characters follow
        per_char = 1 / first.scored_per_char
        chars = Interval(*(bound * window * per_char for bound in windows)).widened(first.tolerance)
    r = coverage.val_tokens.times(1 / geometry.tokens_per_epoch)
    return Reference(audit.name, audit.dataset.name, geometry.tokens_per_epoch, geometry.n_train_titles, r, chars)


def audit_together(logs: Sequence[Log], reference: Reference | None = None) -> list[RunAudit]:
    """The verdicts on the runs of all logs of one target; a run on unknown data takes what a sibling proves."""
    alone = [(run, log, audit) for log in logs for run, audit in zip(log.runs, audit_log(log, reference), strict=True)]
    proofs: dict[object, list[Reference]] = {}
    for run, _, audit in alone:
        proof = _taught_by(run, audit) if audit.dataset.name is not None else None
        if proof is not None and audit.dataset.confidence != "unknown":
            confidence: Literal["likely", "possible"] = (
                "possible" if audit.dataset.confidence == "possible" else "likely"
            )
            proof = replace(proof, r=audit.dataset.r, kind="its sibling log", confidence=confidence)
            proofs.setdefault(_family(audit.geometry), []).append(proof)
    taught = []
    for run, log, audit in alone:
        siblings = proofs.get(_family(audit.geometry), [])
        if audit.dataset.name is None and len({proof.dataset_name for proof in siblings}) == 1:
            best = min(siblings, key=lambda proof: proof.confidence != "likely")
            audit = audit_run(run, log.notes, best, audit.name)
        taught.append(audit)
    return taught


def _family(geometry: Geometry | None) -> object:
    """What siblings have in common; nothing has it in common that does not say its tokens."""
    if geometry is None or geometry.tokens_per_epoch is None:
        return object()
    return geometry.n_train_titles, geometry.n_val_titles, geometry.tokens_per_epoch, geometry.vocab_size
