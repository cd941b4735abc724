"""Finding: one thing that an audit saw, with its evidence and what it does to the number. Stdlib only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
Confidence = Literal["certain", "likely", "possible"]


@dataclass(frozen=True)
class Finding:
    """What was seen, and how sure that is.

    Attributes:
        severity: error: a rule is broken or the number means something else; warning: the number is flattered or hard
            to compare; note: worth knowing.
        rule: a short stable name, e.g. "lossy-tokenizer"; the leaderboard marks entries by it.
        message: one sentence.
        evidence: file:line; None when the whole log is the evidence.
        effect: what it does to the number; None when that cannot be told.
        confidence: certain, likely or possible.
    """

    severity: Severity
    rule: str
    message: str
    evidence: str | None
    effect: str | None
    confidence: Confidence

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
