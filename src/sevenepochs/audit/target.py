"""TargetAudit: what was found at a path, be it a log, a run or result of ours, a folder of these, or a repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sevenepochs.audit.datasets import KNOWN_DATASETS, Reference
from sevenepochs.audit.finding import plain
from sevenepochs.audit.folder import Folder, read_folder
from sevenepochs.audit.log import clean, read_log
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
    """One argument of the command line.

    Attributes:
        runs: the verdicts; in a repository those of its own logs carry the source's findings as well.
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
        if path.is_dir() or path.suffix == ".py":
            return _audit_folder(read_folder(path), name, reference, template)
        source = audit_source(read_folder(path), template) if path.suffix == ".ipynb" else None
        return TargetAudit(name, tuple(audit_together([read_log(path)], reference)), source)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{name} cannot be read: {clean(str(error))}") from None


def _audit_folder(folder: Folder, name: str, reference: Reference | None, template: Path | None) -> TargetAudit:
    own, logs, unread, damage = [], [], [], None
    for path in folder.own:
        try:
            own.append(audit_own(path))
        except UserError as error:
            damage = damage or error
            unread.append(clean(str(path)))
    if damage is not None and folder.own == [folder.root]:
        raise damage
    files = [path for path in folder.files if path.name.lower().endswith((*_LOG_ENDINGS, ".ipynb"))][:_MAX_LOGS]
    for path in files:
        try:
            logs.append(read_log(path))
        except UserError:
            unread += [clean(str(path))] if path.suffix != ".ipynb" else []
    has_source = any(path.suffix in (".py", ".ipynb") for path in folder.files)
    if not (own or logs or has_source):
        if files:
            raise damage or UserError(f"{name}: none of its logs holds an event of the challenge's log")
        endings = ", ".join(_LOG_ENDINGS[:3])
        raise damage or UserError(f"{name} holds no log ({endings}), no run folder and no Python source or notebook")
    runs = audit_together(logs, reference)
    if not has_source:
        return TargetAudit(name, (*own, *runs), None, tuple(unread))
    source = audit_source(folder, template)
    marks = tuple(finding for finding in source.findings if finding.severity != "note")
    marked = [run if run.is_challenge else replace(run, findings=(*run.findings, *marks)) for run in runs]
    is_alone = all(run.is_challenge for run in runs) and not own
    claims = _claims(folder, source) if is_alone and source.program is not None else ()
    return TargetAudit(name, (*own, *marked), source, tuple(unread), claims)


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
    batches, blocks = (
        {setting.value for setting in source.settings if setting.role == role} or {float(stock)}
        for role, stock in (("batch", STOCK_BATCH_SIZE), ("block", STOCK_BLOCK_SIZE))
    )
    if len(batches) > 1 or len(blocks) > 1:
        return "cannot be corrected: the batch or block size is given in several places"
    window = batches.pop() * blocks.pop()
    full = {known.name: known.corrected(value, window) for known in KNOWN_DATASETS[:2]}
    shown = " or ".join(
        f"{format_metric('corrected_val_loss', loss.value) if loss else 'void, as no window fits,'} on the {name} data"
        for name, loss in full.items()
    )
    is_stock = any(place.state == "unchanged" for place in source.places if place.name == "tokenizer")
    unless = "" if is_stock else ", if its tokenizer makes as many tokens as the challenge's"
    return f"in windows of {window:,.0f} tokens it would be about {shown}{unless}"
