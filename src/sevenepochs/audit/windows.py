"""How many validation tokens the stock `evaluate()` scored, from two estimates, and the loss corrected for the rest.

Its windows are batch*block+1 tokens long and only whole ones are scored, but the sum is divided by all characters.
(a) validation tokens = r x training tokens; windows = floor(validation tokens / (batch*block + 1)).
(b) the first evaluation, see geometry.py: scored tokens per character, times the characters.
Where they disagree, (a) counts. Where (a) cannot tell between numbers of windows, (b) chooses if it can.

Multiplying by validation tokens / scored tokens takes the tail to be as hard as the rest. Titles differ: per token,
their losses have a standard deviation of some 30 % of the mean, so a tail of m titles strays by 0.3/sqrt(m) of it.
Row starts without left context are as frequent in the tail as elsewhere, and need no correction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sevenepochs.audit.datasets import Dataset
from sevenepochs.audit.finding import Interval
from sevenepochs.audit.geometry import FirstStep, Geometry

TITLE_SPREAD = 0.30  # standard deviation over titles of (loss - mean loss per token x tokens), over the mean loss
_STANDARD_ERRORS = 1.96
_LARGEST_LOSS = 1e6  # nats per character; no model is that bad
_SAID_TOLERANCE = 0.01  # of what a log says of its validation split, beyond what its dataset's spread allows


@dataclass(frozen=True)
class Coverage:
    """What was scored.

    Attributes:
        why: the sentences that explain the choice.
        val_tokens: of the whole validation split.
        windows: whole windows that were scored, with the least and the most it may be; None without geometry.
        fraction: scored tokens / validation tokens.
        multiplier: its inverse, by which a reported loss is to be multiplied.
        by_tokens, by_first_step: estimates (a) and (b), in windows, before rounding down.
        by_step_1: (b) in its textbook form, divided by the training loss of step 1.
        agree: whether they do; None when there is only one.
    """

    why: str
    val_tokens: Interval | None = None
    windows: Interval | None = None
    fraction: Interval | None = None
    multiplier: Interval | None = None
    by_tokens: Interval | None = None
    by_first_step: Interval | None = None
    by_step_1: float | None = None
    agree: bool | None = None


def coverage_of(geometry: Geometry, dataset: Dataset, first: FirstStep | None) -> Coverage:
    """What the stock rule scored at this geometry on this dataset."""
    window = geometry.window_tokens
    if geometry.tokens_per_epoch is None and geometry.val_tokens is None:
        return Coverage("the log does not say how many tokens there are")
    val_tokens = _val_tokens(geometry, dataset)
    scored = _scored_by_first_step(dataset, geometry, first)
    if window is None:
        return _without_geometry(val_tokens, scored if first is not None and first.is_valid else None)
    span = window + 1
    by_tokens = val_tokens.times(1 / span)
    by_first_step = scored.times(1 / window) if scored is not None else None
    by_step_1 = None
    if by_first_step is not None and first is not None:
        by_step_1 = by_first_step.value * first.by_step_1 / first.scored_per_char
    (least, most), agree, why = _choose(math.floor(by_tokens.low), math.floor(by_tokens.high), by_first_step, first)
    if by_step_1 is not None and by_step_1 < least - 0.5:
        why += (
            f"; divided by the training loss before the first update (b) would be {by_step_1:.1f}, which is too small"
        )
    tokens = Interval(*(min(max(bound, least * span), (most + 1) * span - 1) for bound in val_tokens))
    windows = Interval(math.floor(tokens.value / span), least, most)
    multiplier = fraction = None
    if most == 0:
        windows, fraction = Interval.exact(0), Interval.exact(0.0)
    elif least > 0:
        multiplier = _multiplier(tokens, span)
        fraction = Interval(1 / multiplier.value, 1 / multiplier.high, 1 / multiplier.low)
    return Coverage(why, tokens, windows, fraction, multiplier, by_tokens, by_first_step, by_step_1, agree)


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


def contradicts_dataset(geometry: Geometry, dataset: Dataset) -> bool:
    """Whether the validation tokens or characters that a log names cannot be those of its dataset's split."""
    expected = []
    if geometry.tokens_per_epoch is not None and dataset.name is not None:
        expected.append((geometry.val_tokens, dataset.r.times(geometry.tokens_per_epoch)))
    if dataset.validation_chars is not None:
        expected.append((geometry.val_chars, dataset.validation_chars))
    return any(
        said is not None and not range.widened(_SAID_TOLERANCE).overlaps(Interval.exact(said))
        for said, range in expected
    )


def _val_tokens(geometry: Geometry, dataset: Dataset) -> Interval:
    if geometry.tokens_per_epoch is None or not contradicts_dataset(geometry, dataset):
        if geometry.val_tokens is not None:
            return Interval.exact(geometry.val_tokens)
        assert geometry.tokens_per_epoch is not None, "coverage_of made sure"
    tokens = dataset.r.times(geometry.tokens_per_epoch)
    return Interval(*(round(bound, 6) for bound in tokens))  # an exact r gives a whole number


def _scored_by_first_step(dataset: Dataset, geometry: Geometry, first: FirstStep | None) -> Interval | None:
    chars = dataset.validation_chars
    if geometry.val_chars and not contradicts_dataset(geometry, dataset):
        chars = Interval.exact(geometry.val_chars)
    if first is None or chars is None:
        return None
    scored = chars.times(first.scored_per_char).widened(first.tolerance)
    return scored if math.isfinite(scored.high) else None  # a training loss next to 0


def _without_geometry(val_tokens: Interval, scored: Interval | None) -> Coverage:
    """No batch and block: (b) alone gives the fraction, without knowing the windows."""
    if scored is None:
        why = "the log gives neither batch and block size nor a first evaluation that can tell"
        return Coverage(why, val_tokens)
    value, low, high = scored.value / val_tokens.value, scored.low / val_tokens.high, scored.high / val_tokens.low
    fraction = Interval(min(value, 1.0), min(low, 1.0), min(high, 1.0))
    multiplier = Interval(1 / fraction.value, 1 / fraction.high, 1 / fraction.low)
    why = "the log gives no batch and block size; the first evaluation alone tells"
    return Coverage(why, val_tokens, None, fraction, multiplier)


def _choose(
    least: int, most: int, by_first_step: Interval | None, first: FirstStep | None
) -> tuple[tuple[int, int], bool | None, str]:
    """The range of window counts that counts, whether the estimates agree, and why."""
    a_says = f"{least}" if least == most else f"{least} to {most}"
    if by_first_step is None or first is None:
        missing = "no first evaluation" if first is None else "no known count of validation characters"
        return (least, most), None, f"(a) gives {a_says}; (b) is not to be had: {missing}"
    b_says = f"{by_first_step.value:.2f}"
    low, high = math.ceil(by_first_step.low), math.floor(by_first_step.high)
    agree = max(least, low) <= min(most, high)
    if not first.is_valid or first.fall is None:
        reason = "the log lacks step 2, so nobody can tell whether the first update was tiny"
        if first.extra is not None:
            reason = f"the training loss holds more than the cross-entropy ({first.extra})"
        elif first.fall is not None:
            reason = f"the training loss moved by {abs(first.fall):.0%} in one step"
        verdict = "agrees, but is not to be trusted" if agree else "is not to be trusted"
        return (least, most), True if agree else None, f"(a) gives {a_says}; (b) gives {b_says} and {verdict}: {reason}"
    if agree:
        narrow = (max(least, low), min(most, high))
        if narrow == (least, most):
            return narrow, True, f"(a) gives {a_says}, (b) {b_says}: they agree"
        chosen = f"{narrow[0]}" if narrow[0] == narrow[1] else f"{narrow[0]} to {narrow[1]}"
        return narrow, True, f"(a) allows {a_says}, (b) gives {b_says} and chooses {chosen}"
    return (least, most), False, f"(a) gives {a_says}, (b) {b_says}: they disagree and (a) counts; {_reason(first)}"


def _reason(first: FirstStep) -> str:
    if not first.is_first_update_tiny and first.fall is not None:
        return (
            f"the first update was not tiny (the training loss fell by {first.fall:.1%}), and the validation loss is "
            "measured after it, which can cost (b) a whole window"
        )
    return (
        "the first update was tiny, so look for an evaluation at another batch or block size than the log's, "
        "text inserted into validation, or a changed evaluate()"
    )


def _multiplier(tokens: Interval, span: int) -> Interval:
    """validation tokens / scored tokens over the range: it rises inside a number of windows and drops at the next."""

    def at(n: float) -> float:
        return n / (math.floor(n / span) * (span - 1))

    least, most = math.floor(tokens.low / span), math.floor(tokens.high / span)
    if least == most:
        return Interval(at(tokens.value), at(tokens.low), at(tokens.high))
    return Interval(at(tokens.value), span / (span - 1), max(at((least + 1) * span - 1), at(tokens.high)))
