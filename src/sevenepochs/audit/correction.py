"""The corrected loss: what the reported one would be if the tail had been scored too, with an interval.

Multiplying by validation tokens / scored tokens takes the tail to be as hard as the rest. Titles differ: per token,
their losses have a standard deviation of some 30 % of the mean, so a tail of m titles strays by 0.3/sqrt(m) of it.
Row starts without left context are as frequent in the tail as elsewhere, and need no correction.
"""

from __future__ import annotations

import math

from sevenepochs.audit.interval import Interval
from sevenepochs.audit.windows import Coverage

TITLE_SPREAD = 0.30  # standard deviation over titles of (loss - mean loss per token x tokens), over the mean loss
_STANDARD_ERRORS = 1.96
_LARGEST_LOSS = 1e6  # nats per character; no model is that bad


def corrected(reported: float | None, coverage: Coverage, n_val_titles: int) -> Interval | None:
    """nats per character over the full validation text, 95 %; None when nothing or an unknown part was scored."""
    if reported is None or not 0 < reported < _LARGEST_LOSS or coverage.multiplier is None or coverage.fraction is None:
        return None
    return coverage.multiplier.times(reported).widened(tail_uncertainty(coverage.fraction.value, n_val_titles))


def tail_uncertainty(fraction: float, n_val_titles: int) -> float:
    """Relative half width that the unknown tail adds, for a scored fraction in (0, 1]."""
    scored, tail = fraction * n_val_titles, (1 - fraction) * n_val_titles
    if tail <= 0:
        return 0.0
    return min(_STANDARD_ERRORS * TITLE_SPREAD * (1 - fraction) * math.sqrt(1 / scored + 1 / tail), 0.99)
