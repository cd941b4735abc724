"""TargetAudit: what was found at a path, be it a log, a run or result of ours, a folder of these, or a repository."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sevenepochs.audit.datasets import KNOWN_DATASETS, Reference
from sevenepochs.audit.finding import plain
from sevenepochs.audit.folder import Folder, read_folder
from sevenepochs.audit.log import Log, clean, read_log
from sevenepochs.audit.source.audit import SourceAudit, audit_source
from sevenepochs.audit.verdict import RunAudit, audit_own, audit_together
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.protocol.budget import STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE

_LOG_ENDINGS = (".log", ".jsonl", ".log.gz", ".jsonl.gz", ".log.txt")
_MAX_LOGS = 300
_MAX_TEXTS, _MAX_TEXT_BYTES, _MAX_CLAIMS = 40, 300_000, 3
_TEXT = re.compile(r"(?i).*(readme|report|result|summary|solution|writeup|submission|notes).*\.(md|rst|txt|tex)")
_LOSS = re.compile(r"(?i)\b(?:val\w{0,10}|loss|score)\b.{0,80}?(?<![\d.])([0-2]\.\d{2,6})(?![\d.])")
_FINAL = re.compile(r"(?i)\b(final|best|lowest|achiev\w*|reach\w*|result\w*|submi\w*)\b")


@dataclass(frozen=True)
class Claim:
    """A loss that somebody's text claims: the line, where it stands, and what it is worth."""

    value: float
    quote: str
    where: str
    worth: str = ""


@dataclass(frozen=True)
class TargetAudit:
    """One argument of the command line."""

    path: str
    runs: tuple[RunAudit, ...]  # beside source those of its own logs carry the source's findings as well
    source: SourceAudit | None = None  # None where there is none to read
    unread: tuple[str, ...] = ()  # files that look like logs and are none, and damaged run folders
    claims: tuple[Claim, ...] = ()  # what the texts of a repository without a log of its own say of its loss

    @property
    def entries(self) -> tuple[RunAudit, ...]:
        """The runs that compete: the challenge's own log beside source is nobody's entry."""
        return tuple(run for run in self.runs if self.source is None or not run.is_challenge)

    def to_dict(self) -> dict[str, Any]:
        """Return strict JSON values."""
        return {**plain(self), "runs": [run.to_dict() for run in self.runs]}


def audit_target(path: Path, reference: Reference | None = None, template: Path | None = None) -> TargetAudit:
    """Audit whatever lies at a path.

    Raises:
        UserError: there is nothing, or nothing that can be audited.
    """
    name = clean(str(path))
    try:
        if not path.exists():
            raise UserError(f"{name} does not exist; name a log, a run folder or a repository's folder")
        return _audit_folder(read_folder(path), name, reference, template)
    except UserError:
        raise
    except (OSError, ValueError) as error:
        raise UserError(f"{name} cannot be read: {clean(str(error))}") from None


def _audit_folder(folder: Folder, name: str, reference: Reference | None, template: Path | None) -> TargetAudit:
    own: list[RunAudit] = []
    logs: list[Log] = []
    errors: dict[Path, UserError] = {}
    files = [path for path in folder.files if path.name.lower().endswith((*_LOG_ENDINGS, ".ipynb"))][:_MAX_LOGS]
    if folder.root.is_file() and folder.root.suffix != ".py":
        files = [folder.root]
    for path in (*folder.own, *files):
        try:
            if path in folder.own:
                own.append(audit_own(path))
            else:
                logs.append(read_log(path))
        except UserError as error:
            errors[path] = error
    has_source = any(path.suffix in (".py", ".ipynb") for path in folder.files)
    has_any = own or logs or has_source
    if errors and (folder.root in errors or not has_any):
        raise next(iter(errors.values()))
    if not has_any:
        endings = ", ".join(_LOG_ENDINGS[:3])
        raise UserError(f"{name} holds no log ({endings}), no run folder and no Python source or notebook")
    runs = audit_together(logs, reference)
    unread = tuple(clean(str(path)) for path in errors if path.suffix != ".ipynb")
    if not has_source:
        return TargetAudit(name, (*own, *runs), None, unread)
    source = audit_source(folder, template)
    marks = tuple(finding for finding in source.findings if finding.severity != "note")
    marked = [run if run.is_challenge else replace(run, findings=(*run.findings, *marks)) for run in runs]
    is_alone = all(run.is_challenge for run in runs) and not own
    claims = _claims(folder, source) if is_alone and source.program is not None else ()
    return TargetAudit(name, (*own, *marked), source, unread, claims)


def _claims(folder: Folder, source: SourceAudit) -> tuple[Claim, ...]:
    """Return the likeliest claims of a final validation loss: those that call themselves final or best come first."""
    found = sorted(_losses_in_texts(folder), key=lambda claim: _FINAL.search(claim.quote) is None)[:_MAX_CLAIMS]
    return tuple(replace(claim, worth=_worth(claim.value, source)) for claim in found)


def _losses_in_texts(folder: Folder) -> Iterator[Claim]:
    for path in [path for path in folder.files if _TEXT.fullmatch(path.name)][:_MAX_TEXTS]:
        try:
            with path.open("rb") as stream:
                text = stream.read(_MAX_TEXT_BYTES).decode("utf-8", errors="replace")
        except OSError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            values = _LOSS.findall(line[:1_000])
            if values and "train loss" not in line.lower():
                where = clean(f"{folder.name(path)}:{number}")
                yield Claim(float(values[-1]), clean(line.strip(), 160), where)


def _worth(value: float, source: SourceAudit) -> str:
    """Say what a claimed loss is over the full validation text, at the geometry of the source."""
    window = 1.0
    for role, stock in (("batch", STOCK_BATCH_SIZE), ("block", STOCK_BLOCK_SIZE)):
        size, *others = {setting.value for setting in source.settings if setting.role == role} or {float(stock)}
        if others:
            return f"cannot be corrected: the {role} size is given in several places"
        window *= size
    full = {known.name: known.corrected(value, window) for known in KNOWN_DATASETS[:2]}
    if math.inf in full.values():
        return f"void: no window of {window:,.0f} tokens fits"
    shown = " or ".join(f"{format_metric('corrected_val_loss', full[name])} on the {name} data" for name in full)
    is_stock = any(place.state == "unchanged" for place in source.places if place.name == "tokenizer")
    unless = "" if is_stock else ", if its tokenizer makes as many tokens as the challenge's"
    return f"in windows of {window:,.0f} tokens it would be about {shown}{unless}"
