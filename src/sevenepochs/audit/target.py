"""What `audit` is pointed at: a log, one of our run folders or results, a folder of these, or a repository."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sevenepochs.audit.claims import Claim, claims_in
from sevenepochs.audit.datasets import Reference
from sevenepochs.audit.folder import Folder, read_folder
from sevenepochs.audit.log import clean, read_log
from sevenepochs.audit.ours import audit_own
from sevenepochs.audit.siblings import audit_together
from sevenepochs.audit.source.audit import SourceAudit, audit_source
from sevenepochs.audit.verdict import RunAudit
from sevenepochs.errors import UserError

_LOG_ENDINGS = (".log", ".jsonl", ".log.gz", ".jsonl.gz", ".log.txt")
_CODE_ENDINGS = (".py", ".ipynb")
_MAX_LOGS = 300


@dataclass(frozen=True)
class TargetAudit:
    """One argument of the command line.

    Attributes:
        runs: the verdicts; in a repository those of its own logs carry the source's findings too.
        source: what its source does to the number; None where there is none to read.
        unread: files that look like logs and are none, and damaged run folders.
        claims: what the texts of a repository without a log of its own say of its loss.
    """

    path: str
    runs: tuple[RunAudit, ...]
    source: SourceAudit | None = None
    unread: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def entries(self) -> tuple[RunAudit, ...]:
        """The runs that compete: the challenge's own log beside source is nobody's entry."""
        return tuple(run for run in self.runs if self.source is None or not run.is_challenge)

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON values."""
        source = self.source.to_dict() if self.source is not None else None
        runs, claims = [run.to_dict() for run in self.runs], [vars(claim) for claim in self.claims]
        return {"path": self.path, "runs": runs, "source": source, "unread": list(self.unread), "claims": claims}


def audit_target(path: Path, reference: Reference | None = None, template: Path | None = None) -> TargetAudit:
    """Audit whatever lies at a path.

    Raises:
        UserError: there is nothing, or nothing that can be audited.
    """
    name = clean(str(path))
    try:
        if not path.exists():
            raise UserError(f"{name} does not exist; name a log, a run folder or a repository's folder")
        if path.is_dir() or path.suffix == ".py":
            return _audit_folder(read_folder(path), name, reference, template)
        runs = tuple(audit_together([read_log(path)], reference))
        is_notebook = path.suffix == ".ipynb"
        return TargetAudit(name, runs, audit_source(read_folder(path), template) if is_notebook else None)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{name} cannot be read: {clean(str(error))}") from None


def _audit_folder(folder: Folder, name: str, reference: Reference | None, template: Path | None) -> TargetAudit:
    own, unread, damage = [], [], None
    for path in folder.own:
        try:
            own.append(audit_own(path))
        except UserError as error:
            damage = damage or error
            unread.append(clean(str(path)))
    if damage is not None and folder.own == [folder.root]:
        raise damage
    logs, is_log = [], False
    for path in [p for p in folder.files if p.name.lower().endswith((*_LOG_ENDINGS, ".ipynb"))][:_MAX_LOGS]:
        is_log = is_log or path.suffix != ".ipynb"
        try:
            logs.append(read_log(path))
        except UserError:
            unread += [clean(str(path))] if path.suffix != ".ipynb" else []
    has_source = any(path.suffix in _CODE_ENDINGS for path in folder.files)
    if not (own or logs or has_source):
        endings = ", ".join(_LOG_ENDINGS[:3])
        none = f"{name} holds no log ({endings}), no run folder and no Python source or notebook"
        raise damage or UserError(f"{name}: none of its logs holds an event of the challenge's log" if is_log else none)
    runs = audit_together(logs, reference)
    if not has_source:
        return TargetAudit(name, (*own, *runs), None, tuple(unread))
    source = audit_source(folder, template)
    marks = tuple(finding for finding in source.findings if finding.severity != "note")
    marked = [run if run.is_challenge else replace(run, findings=(*run.findings, *marks)) for run in runs]
    is_alone = all(run.is_challenge for run in runs) and not own
    claims = claims_in(folder, source) if is_alone and source.program is not None else []
    return TargetAudit(name, (*own, *marked), source, tuple(unread), tuple(claims))
