"""Findings about a logged run: its number, broken rules, training that misbehaved, and the file itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from sevenepochs.audit.datasets import STOCK_WINDOW, Dataset
from sevenepochs.audit.finding import Confidence, Finding, Interval, Severity
from sevenepochs.audit.geometry import Geometry, multiplier_at
from sevenepochs.audit.log import Log, LoggedRun, clean
from sevenepochs.audit.source.settings import loses_text
from sevenepochs.audit.windows import Coverage, contradicts_dataset
from sevenepochs.metrics import format_metric
from sevenepochs.protocol.budget import EPOCHS, NUM_TITLES, OFFICIAL_SEED, VAL_FRACTION, evaluation_steps

_CHARS_PER_TITLE = 75  # the known versions have 56, <eos> included
_NOTICEABLE_LOSS = 0.0005  # nats/char; below, best and last are one number
_NOTICEABLE_TAIL = 0.07  # of the validation tokens; stock leaves out 0.04 to 0.06
_IMPLAUSIBLE = 0.9  # of the best lossless public result


class _Check(NamedTuple):
    """A finding where `seen` is true."""

    seen: object
    severity: Severity
    rule: str
    message: str
    effect: str | None = None
    confidence: Confidence = "certain"


def findings_of(
    run: LoggedRun, log: Log, geometry: Geometry, dataset: Dataset, coverage: Coverage, full: Interval | None
) -> tuple[Finding, ...]:
    """Return everything odd in a run; `full` is its corrected loss. Broken rules name the run's first line."""
    file = clean(str(log.path))
    groups = (
        (None, _number(run, geometry, dataset, coverage, full)),
        (f"{file}:{run.first_line}", _rules(run, geometry, dataset)),
        (None, _course(run, geometry)),
        (file, _reading(run, log)),
    )
    return tuple(
        Finding(check.severity, check.rule, check.message, where, check.effect, check.confidence)
        for where, checks in groups
        for check in checks
        if check.seen
    )


def _number(
    run: LoggedRun, geometry: Geometry, dataset: Dataset, coverage: Coverage, full: Interval | None
) -> Iterator[_Check]:
    """Yield what the scored windows do to the number."""
    losses, tokens = run.finite_evaluations, coverage.val_tokens
    reported = losses[max(losses)] if losses else None
    if coverage.windows is not None and coverage.windows.high == 0:
        message = "no evaluation window fits into the validation tokens, so evaluate() prints a perfect 0"
        yield _Check(True, "error", "no-window", message, "the number is void", "likely")
    elif reported is not None and reported <= 0:
        message = f"a loss of {loss_text(reported)} is impossible: no model is certain of everything"
        yield _Check(True, "error", "impossible-loss", message, "the number is void")
    yield _Check(coverage.agree is False, "warning", "window-estimates-disagree", coverage.why, None, "likely")
    if full is None or reported is None or coverage.fraction is None:
        return
    shown, dropped = format_metric("corrected_val_loss", full.value), 1 - coverage.fraction.value
    message = f"{format_metric('val_scored_fraction', dropped)} of the validation tokens were never scored"
    effect = f"{loss_text(reported)} as printed is about {shown} over the full text"
    yield _Check(True, "warning" if dropped > _NOTICEABLE_TAIL else "note", "tail-drop", message, effect)
    at_stock = full.value / multiplier_at(tokens.value, STOCK_WINDOW) if tokens is not None else 0.0
    message = f"windows of {geometry.window_tokens or 0:,} tokens instead of the stock {STOCK_WINDOW:,}"
    effect = f"at the stock geometry the same model would print about {loss_text(at_stock)}"
    is_other = geometry.window_tokens not in (None, STOCK_WINDOW) and at_stock
    yield _Check(is_other, "note", "window-size", message, effect, "likely")
    best = dataset.known.best_known_corrected if dataset.known is not None else None
    if best is not None and full.high < _IMPLAUSIBLE * best:
        best_shown = format_metric("corrected_val_loss", best)
        message = f"{shown} is far below the best lossless public result on version {dataset.name} ({best_shown})"
        effect = "look for a lossy tokenizer, text inserted into validation, or a changed evaluate()"
        yield _Check(True, "warning", "implausibly-low", message, effect, "possible")


def _rules(run: LoggedRun, geometry: Geometry, dataset: Dataset) -> Iterator[_Check]:
    epochs, seed, fraction = run.count("epochs") or EPOCHS, run.header.get("seed"), run.header.get("val_frac")
    effect = f"{'more' if epochs > EPOCHS else 'less'} training than the rules allow"
    yield _Check(epochs != EPOCHS, "error", "epochs", f"{epochs} epochs instead of {EPOCHS}", effect)
    is_other = isinstance(seed, int) and seed != OFFICIAL_SEED
    effect = "another draw, and in stock code another split"
    yield _Check(is_other, "warning", "seed", f"seed {seed} instead of {OFFICIAL_SEED}", effect)
    n_train, n_titles = geometry.n_train_titles, geometry.n_train_titles + geometry.n_val_titles
    is_other = run.count("num_titles", "titles_count") is not None and n_titles != NUM_TITLES
    effect = "another task: compare it with nothing else"
    yield _Check(is_other, "error", "titles", f"{n_titles:,} titles instead of {NUM_TITLES:,}", effect)
    expected = round(n_titles * (1 - VAL_FRACTION))
    is_other = run.count("num_titles") is not None and run.count("titles_count") not in (None, expected)
    message = f"{n_train:,} titles to train on instead of {expected:,} of {n_titles:,}"
    effect = "titles to validate on were trained on" if n_train > expected else "less to train on than the rules give"
    yield _Check(is_other, "error", "split", message, effect)
    message = "the validation tokens or characters that the log names are not those of its dataset's split"
    effect = "they are not believed: the number is corrected as if they were not there"
    yield _Check(contradicts_dataset(geometry, dataset), "error", "validation-size", message, effect, "likely")
    is_other = isinstance(fraction, float) and not math.isclose(fraction, VAL_FRACTION)
    message = f"validation fraction {clean(str(fraction), 20)} instead of {VAL_FRACTION:g}"
    yield _Check(is_other, "error", "validation-fraction", message, "other validation titles")
    size = geometry.vocab_size if geometry.vocab_size is not None else 256
    message = f"a vocabulary of {size} cannot spell the titles"
    yield _Check(size < 256, "error", "vocabulary", message, "the number is void if text became <unk>", "likely")
    for name, value in run.header.items():
        message = f"the log's settings name a tokenizer that loses text: {clean(name)} = {clean(str(value), 40)}"
        effect = "an easier text than the one that divides is predicted: compare with no lossless run"
        yield _Check(loses_text(name, value), "error", "lossy-tokenizer", message, effect, "likely")
    message = f"the dataset version is unknown: {dataset.how}"
    yield _Check(dataset.name is None, "warning", "dataset-unknown", message, "cannot be ranked against others")
    batch, tokens, batches = geometry.training_batch_tokens, geometry.tokens_per_epoch, geometry.batches_per_epoch
    titles = run.count("titles_count")
    if titles is not None and tokens is not None:
        message = f"{tokens:,} training tokens for {titles:,} titles: more than they have characters (about 56 each)"
        effect = "training text was multiplied or padded, which the rules forbid, and validation tokens cannot be told"
        yield _Check(tokens > _CHARS_PER_TITLE * titles, "error", "training-text-changed", message, effect, "likely")
    if batch is not None and tokens is not None:
        steps = max(run.last_step, run.max_steps or 0)
        message = f"{steps:,} steps of {batch:,} tokens are more than {EPOCHS} x {tokens:,}"
        effect = f"{steps * batch / tokens:.1f} epochs' worth, unless steps are parts of a batch"
        yield _Check(steps * batch > EPOCHS * tokens, "error", "token-budget", message, effect, "likely")
        message = f"{batches or 0:,} batches per epoch, but {tokens:,} tokens make {tokens // batch:,} of {batch:,}"
        effect = "gradient accumulation or another evaluation batch: the windows may not be those assumed here"
        yield _Check(batches not in (None, tokens // batch), "warning", "batch-mismatch", message, effect, "likely")


def _course(run: LoggedRun, geometry: Geometry) -> Iterator[_Check]:
    """Yield how training went and ended, and how often it was evaluated."""
    training = run.training
    message = f"{training.n_not_finite} training losses are not finite, the first at step {training.first_not_finite}"
    yield _Check(training.n_not_finite, "error", "not-finite", message, "what follows is not training")
    bad = [step for step, loss in run.evaluations.items() if loss is not None and not math.isfinite(loss)]
    message = f"{len(bad)} validation losses are not finite, the first at step {[*bad, 0][0]}"
    yield _Check(bad, "error", "not-finite", message)
    step, *spike = training.first_spike or (0, 0.0, 0.0)
    shown = " after a median of ".join(format_metric("train_loss_nats_per_token", loss) for loss in spike)
    message = f"{training.n_spikes} spikes of the training loss, the first at step {step}: {shown}"
    yield _Check(training.n_spikes, "note", "spikes", message)
    message = f"{training.n_missing:,} of {training.last_step:,} steps are not in the log"
    yield _Check(training.n_missing, "note", "missing-steps", message)
    message = f"{training.n_repeated:,} training steps were logged again or out of order"
    yield _Check(training.n_repeated, "note", "duplicate-steps", message, "resumed, or two runs write one file")
    losses, planned, last_step = run.finite_evaluations, run.max_steps, run.last_step
    best, last = min(losses, key=lambda step: (losses[step], step), default=0), max(losses, default=0)
    if planned is not None and last_step < planned:
        message = f"the log ends at step {last_step:,} of {planned:,}"
        yield _Check(True, "warning", "unfinished", message, "its last figure is not a result")
    elif planned is not None and last_step > planned:
        message = f"the log goes on to step {last_step:,}, beyond its {planned:,}"
        yield _Check(True, "error", "too-many-steps", message, "more training than it says")
    elif losses and last < last_step:
        message = f"the last evaluation is at step {last:,}, training went on to {last_step:,}"
        yield _Check(True, "warning", "no-final-evaluation", message, "the final model was not scored")
    yield _Check(not losses, "warning", "no-evaluation", "there is no validation loss in the log")
    low, end = losses.get(best, 0.0), losses.get(last, 0.0)
    message = f"the best evaluation ({loss_text(low)} at step {best:,}) is not the last"
    message += f" ({loss_text(end)} at step {last:,})"
    effect = f"quoting the best, chosen on the validation titles, flatters by {loss_text(end - low)}"
    yield _Check(low < end - _NOTICEABLE_LOSS, "warning", "best-not-last", message, effect)
    # stock evaluates after step 1, every floor(batches/3) steps, and at the end
    batches, epochs = geometry.batches_per_epoch, run.count("epochs") or EPOCHS
    if batches and run.evaluations and batches * epochs <= 10**6:
        expected = {step for step in evaluation_steps(batches, epochs) if step <= max(run.evaluations)}
        extra, absent = len(set(run.evaluations) - expected), len(expected - set(run.evaluations))
        message = f"{len(run.evaluations):,} evaluations; by the stock rule {absent:,} are absent and {extra:,} extra"
        looks = "more looks at the validation titles to choose from" if extra > absent else None
        yield _Check(extra or absent, "note", "cadence", message, looks)


def _reading(run: LoggedRun, log: Log) -> Iterator[_Check]:
    """Yield what is wrong with the file rather than with the run."""
    yield _Check(log.truncated_last_line, "note", "truncated", f"the last line ({log.lines:,}) is cut short")
    n_skipped = log.not_json + log.overlong
    yield _Check(n_skipped, "note", "other-lines", f"{n_skipped:,} lines are no events and were skipped")
    message = f"reading stopped after line {log.lines:,}: {clean(log.unreadable_rest or '')}"
    yield _Check(log.unreadable_rest, "warning", "damaged-file", message, "what came after is unknown")
    yield _Check(log.cut_at_limit, "warning", "cut", "the file is too long; only its beginning was read")
    message = f"the run at line {run.first_line:,} has no opening events; those of the one before it were taken"
    yield _Check(run.is_header_inherited, "note", "no-header", message, None, "likely")
    names = ", ".join(f"{name} ({n:,})" for name, n in run.unknown_events.most_common(5))
    yield _Check(names, "note", "unknown-events", f"events outside the challenge's format: {names}")


def loss_text(value: float) -> str:
    """Return a loss as a log prints it, nats per character."""
    return format_metric("official_val_loss_own_geometry", value)
