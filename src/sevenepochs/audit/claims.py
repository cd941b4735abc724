"""What a repository without a log claims: losses in its README or report, corrected for its windows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sevenepochs.audit.datasets import KNOWN_DATASETS
from sevenepochs.audit.folder import Folder
from sevenepochs.audit.log import clean
from sevenepochs.audit.source.audit import SourceAudit
from sevenepochs.metrics import format_metric
from sevenepochs.protocol.budget import STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE

_MAX_FILES, _MAX_BYTES, _MAX_CLAIMS = 40, 300_000, 3
_FILE = re.compile(r"(?i).*(readme|report|result|summary|solution|writeup|submission|notes).*\.(md|rst|txt|tex)")
_LOSS = re.compile(r"(?i)\b(?:val\w{0,10}|loss|score)\b.{0,80}?(?<![\d.])([0-2]\.\d{2,6})(?![\d.])")
_FINAL = re.compile(r"(?i)\b(final|best|lowest|achiev\w*|reach\w*|result\w*|submi\w*)\b")


@dataclass(frozen=True)
class Claim:
    """A loss that somebody's text claims: the line, where it stands, and what it is worth."""

    value: float
    quote: str
    where: str
    worth: str


def claims_in(folder: Folder, source: SourceAudit | None) -> list[Claim]:
    """The likeliest claims of a final validation loss: those that call themselves final or best come first."""
    found = sorted(_claims(folder), key=lambda claim: _FINAL.search(claim[1]) is None)
    return [Claim(value, quote, where, _worth(value, source)) for value, quote, where in found[:_MAX_CLAIMS]]


def _claims(folder: Folder) -> Iterator[tuple[float, str, str]]:
    files = [path for path in folder.files if _FILE.fullmatch(path.name)]
    for path in files[:_MAX_FILES]:
        try:
            with path.open("rb") as stream:
                text = stream.read(_MAX_BYTES).decode("utf-8", errors="replace")
        except OSError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            values = [float(value) for value in _LOSS.findall(line[:1_000])]
            if values and "train loss" not in line.lower():
                yield values[-1], clean(line.strip(), 160), clean(f"{folder.name(path)}:{number}")


def _worth(value: float, source: SourceAudit | None) -> str:
    """A claimed loss over the full validation text, at the geometry of the source."""
    given = {(s.role, s.value) for s in source.settings} if source is not None else set()
    sides = {
        role: {v for r, v in given if r == role} or {stock}
        for role, stock in (("batch", STOCK_BATCH_SIZE), ("block", STOCK_BLOCK_SIZE))
    }
    if any(len(values) > 1 for values in sides.values()):
        return "cannot be corrected: the batch or block size is given in several places"
    window = math.prod(values.pop() for values in sides.values())
    parts = []
    for known in KNOWN_DATASETS[:2]:
        tokens = known.r.value * known.tokens_per_epoch
        scored = tokens // (window + 1) * window
        shown = format_metric("corrected_val_loss", value * tokens / scored) if scored else "void, as no window fits,"
        parts.append(f"{shown} on the {known.name} data")
    is_stock = source is not None and all(p.state == "unchanged" for p in source.places if p.name == "tokenizer")
    unless = "" if is_stock else ", if its tokenizer makes as many tokens as the challenge's"
    return f"in windows of {window:,.0f} tokens it would be about {' or '.join(parts)}{unless}"
