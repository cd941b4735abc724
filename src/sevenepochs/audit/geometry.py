"""Sizes of the evaluation windows, and the share of the text that the first evaluation scored (estimate (b)).

An untrained model costs the same everywhere, so (validation loss per character) / (loss per token) at the start is
scored tokens / validation characters. The validation loss of step 1 is measured after the first update and the training
loss of step 1 before it: they describe one model only if that update was tiny (SGD at a small rate, warm-up). The
training loss of step 2 is measured after it as well, on other titles, and serves instead.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from sevenepochs.audit.log import LoggedRun, clean
from sevenepochs.protocol.budget import NUM_TITLES, VAL_FRACTION

TINY_FALL = 0.005  # stock SGD: 0.002; AdamW with the public warm-up: 0.025; without: 0.1 and more
_LARGEST_FALL = 0.5  # beyond, the model is no longer untrained in any sense
_LARGEST_SHARE = 1e6  # of scored tokens per character: a training loss next to 0
# Settings above zero of which the logged training loss is more than the cross-entropy that is compared.
_EXTRA_TERMS = re.compile(
    r"r_?drop|.*smoothing|z_?loss.*|(kl|consistency|aux\w*)_(weight|coef\w*|lambda|loss)", re.IGNORECASE
)


@dataclass(frozen=True)
class Geometry:
    """Sizes in tokens and titles; None where the log does not say."""

    batch_size: int | None  # of the evaluation; the training's unless the log names another
    block_size: int | None
    window_tokens: int | None  # targets of one window, batch * block
    training_batch_tokens: int | None
    is_inferred: bool  # batch * block was found from tokens and batches of an epoch, as the log does not give them
    tokens_per_epoch: int | None
    batches_per_epoch: int | None
    n_train_titles: int
    n_val_titles: int
    vocab_size: int | None
    parameters: int | None
    val_tokens: int | None  # this and the next only where a log was extended by them
    val_chars: int | None


def geometry_of(run: LoggedRun) -> Geometry:
    """Return the sizes of a logged run."""
    batch, block = run.count("batch_size"), run.count("block_size", "context_length", "seq_len")
    eval_batch = run.count("eval_batch_size", "val_batch_size") or batch
    eval_block = run.count("eval_block_size", "val_block_size") or block
    training_batch = run.count("train_batch_size", "training_batch_size") or batch
    tokens, batches = run.count("tokens_per_epoch"), run.count("batches_per_epoch")
    training_tokens = training_batch * block if training_batch and block else None
    window_tokens = eval_batch * eval_block if eval_batch and eval_block else None
    is_inferred = False
    if tokens is not None and batches is not None and window_tokens is None:
        # the only power of two that gives this many batches from this many tokens
        fitting = [2**n for n in range(4, 25) if tokens // 2**n == batches]
        is_inferred = len(fitting) == 1
        training_tokens = window_tokens = fitting[0] if is_inferred else None
    n_train = run.count("titles_count") or int((run.count("num_titles") or NUM_TITLES) * (1 - VAL_FRACTION))
    n_titles = run.count("num_titles") or round(n_train / (1 - VAL_FRACTION))
    return Geometry(
        batch_size=eval_batch,
        block_size=eval_block,
        window_tokens=window_tokens,
        training_batch_tokens=training_tokens,
        is_inferred=is_inferred,
        tokens_per_epoch=tokens,
        batches_per_epoch=batches,
        n_train_titles=n_train,
        n_val_titles=n_titles - n_train if n_titles > n_train else max(1, round(n_train / 9)),
        vocab_size=run.vocab_size or run.count("vocab_size"),
        parameters=run.count("parameters_count"),
        val_tokens=run.count("val_tokens", "validation_tokens", "val_tokens_count"),
        val_chars=run.count("val_chars", "validation_chars", "val_characters"),
    )


def multiplier_at(val_tokens: float, window_tokens: float) -> float:
    """Return validation tokens / tokens in whole windows; infinite where no window fits."""
    scored = val_tokens // (window_tokens + 1) * window_tokens if window_tokens >= 1 else 0
    return val_tokens / scored if scored else math.inf


@dataclass(frozen=True)
class FirstStep:
    """Scored tokens per validation character, from the first evaluation."""

    scored_per_char: float  # validation loss of step 1 / training loss of step 2; of step 1 where there is no step 2
    tolerance: float  # its relative uncertainty
    by_step_1: float  # validation loss / training loss of step 1, the textbook quotient
    fall: float | None  # share by which the training loss fell from step 1 to step 2; None without step 2
    doubt: str | None  # the reason not to trust `scored_per_char` within `tolerance`; None where it can be trusted


def first_step_of(run: LoggedRun, window_tokens: int | None) -> FirstStep | None:
    """Return None when the log lacks the first evaluation or the first training loss."""
    validation, first = run.finite_evaluations.get(1), run.training.first.get(1)
    if validation is None or first is None or first <= 0:
        return None
    second = run.training.first.get(2)
    if not all(0 < validation / loss < _LARGEST_SHARE for loss in (first, second or first)):
        return None  # a loss below or next to 0
    if not second:
        doubt: str | None = "the log lacks step 2, so nobody can tell whether the first update was tiny"
        return FirstStep(validation / first, 0.006, validation / first, None, doubt)
    fall = 1 - second / first
    # One batch's mean loss strays from the mean: little at the start, when all tokens cost about ln(vocabulary), more
    # once they differ. The constants are checked by simulation (tests/audit/test_truth.py).
    tolerance = 0.004 + 0.25 * abs(fall) + (0.05 + 1.5 * abs(fall)) / math.sqrt(window_tokens or 8192)
    doubt = f"the training loss moved by {abs(fall):.0%} in one step" if abs(fall) >= _LARGEST_FALL else None
    for name, value in reversed(run.header.items()):
        if isinstance(value, int | float) and value > 0 and _EXTRA_TERMS.fullmatch(name):
            doubt = f"the training loss holds more than the cross-entropy ({name} {clean(str(value), 20)})"
    return FirstStep(validation / second, tolerance, validation / first, fall, doubt)
