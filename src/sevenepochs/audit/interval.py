"""Interval: a number that is known up to bounds. Stdlib only."""

from __future__ import annotations

import math
from typing import NamedTuple


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
