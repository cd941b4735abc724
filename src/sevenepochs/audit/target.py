"""What `audit` is pointed at: a log, one of our run folders or results, a folder of these, or a repository."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sevenepochs.audit.events import clean
from sevenepochs.audit.finding import Finding
from sevenepochs.audit.log import read_log
from sevenepochs.audit.ours import audit_own_run, audit_result, is_run_folder
from sevenepochs.audit.recognise import Reference
from sevenepochs.audit.source_tree import SKIPPED_FOLDERS
from sevenepochs.audit.verdict import RunAudit, audit_log
from sevenepochs.errors import UserError
from sevenepochs.store.results import Result, is_result
from sevenepochs.store.run import Run

_LOG_ENDINGS = (".log", ".jsonl", ".log.gz", ".jsonl.gz", ".log.txt")
_MAX_DEPTH = 4
_MAX_ENTRIES = 20_000
_MAX_LOGS = 100


@dataclass(frozen=True)
class TargetAudit:
    """One argument of the command line.

    Attributes:
        runs: the verdicts; in a repository each carries the source's findings too.
        source: the findings in a repository's source; None where there is none to read.
        unread: files that look like logs and are none, and damaged run folders.
    """

    path: str
    runs: tuple[RunAudit, ...]
    source: tuple[Finding, ...] | None = None
    unread: tuple[str, ...] = ()


def audit_target(path: Path, reference: Reference | None = None) -> TargetAudit:
    """Audit whatever lies at a path.

    Raises:
        UserError: there is nothing, or nothing that can be audited.
    """
    name = clean(str(path))
    try:
        if not path.exists():
            raise UserError(f"{name} does not exist; name a log, a run folder or a repository's folder")
        if not path.is_dir():
            return TargetAudit(name, tuple(audit_log(read_log(path), reference)))
        return _audit_folder(path, name, reference)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{name} cannot be read: {clean(str(error))}") from None


def _audit_folder(path: Path, name: str, reference: Reference | None) -> TargetAudit:
    if (own := _own(path)) is not None:
        return TargetAudit(name, (own,))
    collection: dict[Path, RunAudit] = {}
    unread: list[str] = []
    damage: UserError | None = None
    for child in sorted(path.iterdir()):
        try:
            if child.is_dir() and (audit := _own(child)) is not None:
                collection[child] = audit
        except UserError as error:
            damage = damage or error
            unread.append(clean(str(child)))
    logs, has_source = _walk(path)
    # one run-like folder hides neither the source beside it nor its logs
    logs = [log for log in logs if not any(parent in collection for parent in log.parents)]
    if not logs and not has_source:
        if not collection:
            endings = ", ".join(_LOG_ENDINGS[:3])
            raise damage or UserError(f"{name} holds no log ({endings}), no run folder and no Python source")
        return TargetAudit(name, tuple(collection.values()), None, tuple(unread))
    runs: list[RunAudit] = []
    for log in logs:
        try:
            runs.extend(audit_log(read_log(log), reference))
        except UserError:
            unread.append(clean(str(log)))
    if not runs and not collection and not has_source:
        raise UserError(f"{name}: none of its {len(unread)} logs holds an event of the challenge's log")
    if not has_source:
        return TargetAudit(name, (*collection.values(), *runs), None, tuple(unread))
    from sevenepochs.audit.source import audit_source

    source = tuple(audit_source(path))
    marked = tuple(replace(run, findings=(*run.findings, *source)) for run in runs)
    return TargetAudit(name, (*collection.values(), *marked), source, tuple(unread))


def _own(path: Path) -> RunAudit | None:
    if is_run_folder(path):
        return audit_own_run(Run(path))
    return audit_result(Result.read(path)) if is_result(path) else None


def _walk(path: Path) -> tuple[list[Path], bool]:
    """The logs below a folder, and whether there is Python source; links are not followed."""
    logs: list[Path] = []
    has_source = False
    for file in _files(path):
        has_source = has_source or file.suffix == ".py"
        if file.name.lower().endswith(_LOG_ENDINGS) and len(logs) < _MAX_LOGS:
            logs.append(file)
    return logs, has_source


def _files(path: Path) -> Iterator[Path]:
    n_seen = 0
    for folder, folders, files in os.walk(path):
        depth = len(Path(folder).relative_to(path).parts)
        folders[:] = sorted(
            name for name in folders if depth < _MAX_DEPTH and not name.startswith(".") and name not in SKIPPED_FOLDERS
        )
        for name in sorted(files):
            n_seen += 1
            if n_seen > _MAX_ENTRIES:
                return
            file = Path(folder) / name
            if file.is_file() and not file.is_symlink():
                yield file


def audit_targets(paths: Sequence[Path], reference: Reference | None = None) -> list[TargetAudit]:
    """Each path in turn; the first that cannot be audited raises."""
    return [audit_target(path, reference) for path in paths]
