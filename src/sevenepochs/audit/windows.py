"""How many validation tokens the stock `evaluate()` scored, from two estimates, and the loss corrected for the rest.

Its windows are batch*block+1 tokens long and only whole ones are scored, but the sum is divided by all characters.
(a) validation tokens = r x training tokens; windows = floor(validation tokens / (batch*block + 1)).
(b) scored tokens per character by the first evaluation (geometry.py), times the characters.
Where they disagree, (a) counts. Where (a) cannot tell between numbers of windows, (b) chooses if it can.

The correction takes the tail to be as hard as the rest. Titles differ, so a tail of m titles strays by 0.3/sqrt(m).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sevenepochs.audit.datasets import Dataset
from sevenepochs.audit.finding import Interval
from sevenepochs.audit.geometry import TINY_FALL, FirstStep, Geometry, multiplier_at

_TITLE_SPREAD = 0.30  # standard deviation over titles of (loss - mean loss per token x tokens), over the mean loss
_STANDARD_ERRORS = 1.96
_LARGEST_LOSS = 1e6  # nats per character; no model is that bad
_SAID_TOLERANCE = 0.01  # of what a log says of its validation split, beyond what its dataset's spread allows


@dataclass(frozen=True)
class Coverage:
    """The part of the validation text that was scored, and the sentences that say why we think so."""

    why: str
    val_tokens: Interval | None = None  # of the whole validation split
    windows: Interval | None = None  # whole windows that were scored; None without geometry
    fraction: Interval | None = None  # scored tokens / validation tokens
    multiplier: Interval | None = None  # its inverse, by which a reported loss is to be multiplied
    by_tokens: Interval | None = None  # estimate (a), in windows, before rounding down
    by_first_step: Interval | None = None  # estimate (b)
    by_step_1: float | None = None  # (b) in its textbook form, divided by the training loss of step 1
    agree: bool | None = None  # whether (a) and (b) do; None where there is one of them


def coverage_of(geometry: Geometry, dataset: Dataset, first: FirstStep | None) -> Coverage:
    """Return what the stock rule scored at this geometry on this dataset."""
    window, per_epoch, chars = geometry.window_tokens, geometry.tokens_per_epoch, dataset.validation_chars
    is_believed = not contradicts_dataset(geometry, dataset)
    if geometry.val_tokens is not None and (is_believed or per_epoch is None):
        val_tokens = Interval.exact(geometry.val_tokens)
    elif per_epoch is not None:  # rounded, so that an exact r gives a whole number
        val_tokens = Interval(*(round(bound, 6) for bound in dataset.r.times(per_epoch)))
    else:
        return Coverage("the log does not say how many tokens there are")
    if geometry.val_chars is not None and is_believed:
        chars = Interval.exact(geometry.val_chars)
    scored = chars.times(first.scored_per_char).widened(first.tolerance) if first and chars else None
    if window is None:
        if scored is None or first is None or first.doubt is not None:
            why = "the log gives neither batch and block size nor a first evaluation that can tell"
            return Coverage(why, val_tokens)
        shares = (scored.value / val_tokens.value, scored.low / val_tokens.high, scored.high / val_tokens.low)
        part = Interval(*(min(share, 1.0) for share in shares))
        why = "the log gives no batch and block size; the first evaluation alone tells"
        return Coverage(why, val_tokens, None, part, part.inverse())
    by_tokens = val_tokens.times(1 / (window + 1))
    by_first_step = scored.times(1 / window) if scored is not None else None
    least, most, agree, why = _choose(math.floor(by_tokens.low), math.floor(by_tokens.high), by_first_step, first)
    by_step_1 = by_first_step.value * first.by_step_1 / first.scored_per_char if by_first_step and first else None
    if by_step_1 is not None and by_step_1 < least - 0.5:
        why += f"; by the training loss before the first update (b) would be {by_step_1:.1f}, which is too small"
    tokens = Interval(*(min(max(bound, least * (window + 1)), (most + 1) * (window + 1) - 1) for bound in val_tokens))
    windows = Interval(math.floor(tokens.value / (window + 1)), least, most)
    multiplier = multiplier_of(tokens, window + 1) if least > 0 else None
    fraction = multiplier.inverse() if multiplier is not None else Interval.exact(0) if most == 0 else None
    return Coverage(why, tokens, windows, fraction, multiplier, by_tokens, by_first_step, by_step_1, agree)


def corrected(reported: float | None, coverage: Coverage, n_val_titles: int) -> Interval | None:
    """Return nats per character over the full text, 95 %; None when nothing or an unknown part was scored."""
    if reported is None or not 0 < reported < _LARGEST_LOSS or coverage.multiplier is None or coverage.fraction is None:
        return None
    return coverage.multiplier.times(reported).widened(tail_uncertainty(coverage.fraction.value, n_val_titles))


def tail_uncertainty(fraction: float, n_val_titles: int) -> float:
    """Return the relative half width that the unknown tail adds, for a scored fraction in (0, 1]."""
    scored, tail = fraction * n_val_titles, (1 - fraction) * n_val_titles
    if tail <= 0:
        return 0.0
    return min(_STANDARD_ERRORS * _TITLE_SPREAD * (1 - fraction) * math.sqrt(1 / scored + 1 / tail), 0.99)


def contradicts_dataset(geometry: Geometry, dataset: Dataset) -> bool:
    """Whether the validation tokens or characters that a log names cannot be those of its dataset's split."""
    expected = [(geometry.val_chars, dataset.validation_chars)]
    if geometry.tokens_per_epoch is not None and dataset.name is not None:
        expected.append((geometry.val_tokens, dataset.r.times(geometry.tokens_per_epoch)))
    return any(
        said is not None and range is not None and not range.widened(_SAID_TOLERANCE).overlaps(Interval.exact(said))
        for said, range in expected
    )


def _choose(
    least: int, most: int, by_first_step: Interval | None, first: FirstStep | None
) -> tuple[int, int, bool | None, str]:
    """Return the least and the most windows that count, whether the estimates agree, and why."""
    a_says = f"(a) gives {_range(least, most)}"
    if by_first_step is None or first is None:
        missing = "no first evaluation" if first is None else "no known count of validation characters"
        return least, most, None, f"{a_says}; (b) is not to be had: {missing}"
    b_says = f"{by_first_step.value:.2f}"
    low, high = max(least, math.ceil(by_first_step.low)), min(most, math.floor(by_first_step.high))
    agree = low <= high
    if first.doubt is not None:
        verdict = "agrees, but is not to be trusted" if agree else "is not to be trusted"
        return least, most, agree or None, f"{a_says}; (b) gives {b_says} and {verdict}: {first.doubt}"
    if (low, high) == (least, most):
        return least, most, True, f"{a_says}, (b) {b_says}: they agree"
    if agree:
        why = f"(a) allows {_range(least, most)}, (b) gives {b_says} and chooses {_range(low, high)}"
        return low, high, True, why
    reason = (
        "the first update was tiny, so look for an evaluation at another batch or block size than the log's, "
        "text inserted into validation, or a changed evaluate()"
    )
    if first.fall is not None and abs(first.fall) > TINY_FALL:
        reason = (
            f"the first update was not tiny (the training loss fell by {first.fall:.1%}), and the validation loss is "
            "measured after it, which can cost (b) a whole window"
        )
    return least, most, False, f"{a_says}, (b) {b_says}: they disagree and (a) counts; {reason}"


def _range(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} to {high}"


def multiplier_of(tokens: Interval, span: int) -> Interval:
    """Return validation tokens / scored tokens over a range of tokens, for windows of `span` tokens, one at least.

    The quotient rises inside a number of windows and drops at the next.
    """
    least, most = math.floor(tokens.low / span), math.floor(tokens.high / span)
    value, low, high = (multiplier_at(n, span - 1) for n in tokens)
    if least < most:
        low, high = span / (span - 1), max(high, multiplier_at((least + 1) * span - 1, span - 1))
    return Interval(value, low, high)
