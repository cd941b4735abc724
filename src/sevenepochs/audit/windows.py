"""Coverage: how many validation tokens the stock `evaluate()` scored, from two estimates that must agree.

Its windows are batch*block+1 tokens long and only whole ones are scored, but the sum is divided by all characters.
(a) validation tokens = r x training tokens; windows = floor(validation tokens / (batch*block + 1)).
(b) the first evaluation, see first_step.py: scored tokens per character, times the characters.
Where they disagree, (a) counts. Where (a) cannot tell between numbers of windows, (b) chooses if it can.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sevenepochs.audit.datasets import Dataset
from sevenepochs.audit.first_step import FirstStep
from sevenepochs.audit.geometry import Geometry
from sevenepochs.audit.interval import Interval

_SAID_TOLERANCE = 0.01  # of what a log says of its validation split, beyond what its dataset's spread allows


@dataclass(frozen=True)
class Coverage:
    """What was scored.

    Attributes:
        val_tokens: of the whole validation split.
        windows: whole windows that were scored, with the least and the most it may be; None without geometry.
        fraction: scored tokens / validation tokens.
        multiplier: its inverse, by which a reported loss is to be multiplied.
        by_tokens, by_first_step: estimates (a) and (b), in windows, before rounding down.
        by_step_1: (b) in its textbook form, divided by the training loss of step 1.
        agree: whether they do; None when there is only one.
        why: the sentences that explain the choice.
    """

    val_tokens: Interval | None
    windows: Interval | None
    fraction: Interval | None
    multiplier: Interval | None
    by_tokens: Interval | None
    by_first_step: Interval | None
    by_step_1: float | None
    agree: bool | None
    why: str


def coverage_of(geometry: Geometry, dataset: Dataset, first: FirstStep | None) -> Coverage:
    """What the stock rule scored at this geometry on this dataset."""
    window = geometry.window_tokens
    if geometry.tokens_per_epoch is None and geometry.val_tokens is None:
        return Coverage(
            None, None, None, None, None, None, None, None, "the log does not say how many tokens there are"
        )
    val_tokens = _val_tokens(geometry, dataset)
    scored = _scored_by_first_step(dataset, geometry, first)
    if window is None:
        return _without_geometry(val_tokens, scored if first is not None and first.is_valid else None)
    span = window + 1
    by_tokens = val_tokens.times(1 / span)
    least, most = math.floor(by_tokens.low), math.floor(by_tokens.high)
    by_first_step = scored.times(1 / window) if scored is not None else None
    by_step_1 = None
    if by_first_step is not None and first is not None:
        by_step_1 = by_first_step.value * first.by_step_1 / first.scored_per_char
    (least, most), agree, why = _choose(least, most, by_first_step, first)
    if by_step_1 is not None and by_step_1 < least - 0.5:
        why += (
            f"; divided by the training loss before the first update (b) would be {by_step_1:.1f}, which is too small"
        )
    estimates = (by_tokens, by_first_step, by_step_1, agree, why)
    tokens = _within(val_tokens, least * span, (most + 1) * span - 1)
    if most == 0:
        return Coverage(tokens, Interval.exact(0), Interval.exact(0.0), None, *estimates)
    windows = Interval(math.floor(tokens.value / span), least, most)
    if least == 0:
        return Coverage(tokens, windows, None, None, *estimates)
    multiplier = _multiplier(tokens, span)
    fraction = Interval(1 / multiplier.value, 1 / multiplier.high, 1 / multiplier.low)
    return Coverage(tokens, windows, fraction, multiplier, *estimates)


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
        return Coverage(val_tokens, None, None, None, None, None, None, None, why)
    fraction = Interval(
        min(scored.value / val_tokens.value, 1.0),
        min(scored.low / val_tokens.high, 1.0),
        min(scored.high / val_tokens.low, 1.0),
    )
    multiplier = Interval(1 / fraction.value, 1 / fraction.high, 1 / fraction.low)
    why = "the log gives no batch and block size; the first evaluation alone tells"
    return Coverage(val_tokens, None, fraction, multiplier, None, None, None, None, why)


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


def _within(tokens: Interval, low: float, high: float) -> Interval:
    return Interval(*(min(max(bound, low), high) for bound in tokens))


def _multiplier(tokens: Interval, span: int) -> Interval:
    """validation tokens / scored tokens over the range: it rises inside a number of windows and drops at the next."""

    def at(n: float) -> float:
        return n / (math.floor(n / span) * (span - 1))

    least, most = math.floor(tokens.low / span), math.floor(tokens.high / span)
    if least == most:
        return Interval(at(tokens.value), at(tokens.low), at(tokens.high))
    return Interval(at(tokens.value), span / (span - 1), max(at((least + 1) * span - 1), at(tokens.high)))
