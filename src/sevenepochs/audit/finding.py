"""What an audit says: a number known up to bounds, and one thing that was seen. Stdlib only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]
Confidence = Literal["certain", "likely", "possible"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class Interval(NamedTuple):
    """`low <= value <= high`; all three equal where the number is exact."""

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Interval:
        return cls(value, value, value)

    @classmethod
    def around(cls, value: float, half_width: float) -> Interval:
        return cls(value, value - half_width, value + half_width)

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    @property
    def relative(self) -> float:
        """Half the width over the value."""
        return self.half_width / self.value if self.value else math.inf

    def times(self, factor: float) -> Interval:
        """Every bound times a factor >= 0."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    def widened(self, relative: float) -> Interval:
        """Both bounds moved outwards by a share of themselves."""
        return Interval(self.value, self.low * (1 - relative), self.high * (1 + relative))

    def overlaps(self, other: Interval) -> bool:
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True)
class Finding:
    """What was seen, and how sure that is.

    Attributes:
        severity: error: a rule is broken or the number means something else; warning: the number is flattered or hard
            to compare; note: worth knowing.
        rule: a short stable name, e.g. "lossy-tokenizer"; the leaderboard marks entries by it.
        message: one sentence.
        evidence: file:line; None where the whole log is the evidence.
        effect: what it does to the number; None where that cannot be told.
    """

    severity: Severity
    rule: str
    message: str
    evidence: str | None = None
    effect: str | None = None
    confidence: Confidence = "certain"
