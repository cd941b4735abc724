"""The first evaluation tells what share of the characters was scored, for the model does not know anything yet.

An untrained model costs the same everywhere, so (validation loss per character) / (loss per token) at the start is
scored tokens / validation characters. Estimate (b) of the audit rests on it.

The stock log gives two losses per token to divide by. The training loss of step 1 is measured before the first update
and the validation loss of step 1 after it; they describe one model only if that update was tiny (SGD at a small rate,
warm-up). The training loss of step 2 is measured after it as well, on other titles, and serves where the update was
not tiny: AdamW at 5e-4 without warm-up makes the first quotient up to one whole window of 14 too small.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from sevenepochs.audit.events import clean
from sevenepochs.audit.log import LoggedRun

TINY_FALL = 0.005  # stock SGD: 0.002; AdamW with the public warm-up: 0.025; without: 0.1 and more
# Settings above zero of which the logged training loss is more than the cross-entropy that is compared.
EXTRA_TERMS = re.compile(
    r"r_?drop|.*smoothing|z_?loss.*|(kl|consistency|aux\w*)_(weight|coef\w*|lambda|loss)", re.IGNORECASE
)
_LARGEST_FALL = 0.5  # beyond, the model is no longer untrained in any sense


@dataclass(frozen=True)
class FirstStep:
    """Scored tokens per validation character, from the first evaluation.

    Attributes:
        scored_per_char: the better quotient: by step 2's training loss where there is one.
        tolerance: its relative uncertainty.
        by_step_1: validation loss / training loss of step 1, the textbook quotient.
        fall: how much the training loss fell from step 1 to step 2, as a share; None without step 2.
        is_valid: whether `scored_per_char` can be trusted within `tolerance`.
        extra: the setting that puts more than the cross-entropy into the training loss; the quotient is too small then.
    """

    scored_per_char: float
    tolerance: float
    by_step_1: float
    fall: float | None
    is_valid: bool
    extra: str | None = None

    @property
    def is_first_update_tiny(self) -> bool:
        return self.fall is not None and abs(self.fall) <= TINY_FALL


def first_step_of(run: LoggedRun, window_tokens: int | None) -> FirstStep | None:
    """None when the log lacks the first evaluation or the first training loss."""
    validation, first = run.finite_evaluations.get(1), run.training.first.get(1)
    if validation is None or first is None or validation <= 0 or first <= 0:
        return None
    second = run.training.first.get(2)
    if second is None or second <= 0:
        return FirstStep(validation / first, 0.006, validation / first, None, False)
    fall = 1 - second / first
    # One batch's mean loss strays from the mean: little at the start, when all tokens cost about ln(vocabulary), more
    # once they differ. The constants are checked by simulation (tests/audit/test_truth.py).
    batch_noise = (0.05 + 1.5 * abs(fall)) / math.sqrt(window_tokens or 8192)
    tolerance = 0.004 + 0.25 * abs(fall) + batch_noise
    extra = next(
        (f"{name} {clean(str(value), 20)}" for name, value in run.header.items() if _is_extra(name, value)), None
    )
    valid = extra is None and abs(fall) < _LARGEST_FALL
    return FirstStep(validation / second, tolerance, validation / first, fall, valid, extra)


def _is_extra(name: str, value: object) -> bool:
    return isinstance(value, int | float) and value > 0 and EXTRA_TERMS.fullmatch(name) is not None
