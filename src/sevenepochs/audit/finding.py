"""Interval: a number known up to bounds. Finding: one thing that an audit saw. Both go into JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, NamedTuple

# error: a rule is broken, or the number means something else; warning: it is flattered or hard to compare
Severity = Literal["error", "warning", "note"]
Confidence = Literal["certain", "likely", "possible"]
_SEVERITIES = ("error", "warning", "note")


class Interval(NamedTuple):
    """`low <= value <= high`; all three are equal where the number is exact."""

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Interval:
        return cls(value, value, value)

    @classmethod
    def around(cls, value: float, half_width: float) -> Interval:
        return cls(value, value - half_width, value + half_width)

    def times(self, factor: float) -> Interval:
        """Multiply all by a factor >= 0."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    def inverse(self) -> Interval:
        """Return the interval of 1/x; all x are above 0."""
        return Interval(1 / self.value, 1 / self.high, 1 / self.low)

    def widened(self, relative: float) -> Interval:
        """Move both bounds outwards by a share of themselves."""
        return Interval(self.value, self.low * (1 - relative), self.high * (1 + relative))

    def overlaps(self, other: Interval) -> bool:
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True)
class Finding:
    """One thing that was seen, how sure that is, and what it does to the number."""

    severity: Severity
    rule: str  # short and stable, e.g. "lossy-tokenizer"; the leaderboard marks entries by it
    message: str  # one sentence
    evidence: str | None = None  # file:line; None where the whole log is the evidence
    effect: str | None = None  # None where it cannot be told
    confidence: Confidence = "certain"


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings by severity, each once."""
    return sorted(dict.fromkeys(findings), key=lambda finding: _SEVERITIES.index(finding.severity))


def plain(value: Any) -> Any:
    """Return strict JSON values: dataclasses and intervals as objects, numbers that are not finite as null."""
    if isinstance(value, Interval):
        return {key: plain(bound) for key, bound in value._asdict().items()}
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
