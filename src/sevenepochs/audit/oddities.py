"""What looks odd in a logged run: broken rules, a number that is not the last one, training that misbehaved."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sevenepochs.audit.datasets import Dataset
from sevenepochs.audit.finding import Confidence, Finding, Severity
from sevenepochs.audit.geometry import Geometry
from sevenepochs.audit.log import LoggedRun, ReadNotes, clean
from sevenepochs.audit.settings import loses_text
from sevenepochs.audit.windows import contradicts_dataset
from sevenepochs.metrics import format_metric
from sevenepochs.protocol.budget import EPOCHS, NUM_TITLES, OFFICIAL_SEED, VAL_FRACTION, evaluation_steps

_CHARS_PER_TITLE = 75  # the known versions have 56, <eos> included
_NOTICEABLE_LOSS = 0.0005  # nats/char; below, best and last are one number

# whether it was seen, and then severity, rule, message, effect, confidence
_Check = tuple[object, Severity, str, str, str | None, Confidence]


def findings_of(run: LoggedRun, geometry: Geometry, dataset: Dataset, notes: ReadNotes) -> Iterator[Finding]:
    """Everything odd in a run; rules broken have the line of its opening events as evidence."""
    file = clean(str(run.path))
    groups = (
        (f"{file}:{run.first_line}", (*_rules(run, geometry, dataset), *_budget(run, geometry))),
        (None, (*_course(run), *_ending(run), *_cadence(run, geometry))),
        (file, _reading(notes, run)),
    )
    for where, checks in groups:
        for seen, severity, rule, message, effect, confidence in checks:
            if seen:
                yield Finding(severity, rule, message, where, effect, confidence)


def _rules(run: LoggedRun, geometry: Geometry, dataset: Dataset) -> Iterator[_Check]:
    epochs, seed, fraction = run.count("epochs") or EPOCHS, run.header.get("seed"), run.header.get("val_frac")
    effect = f"{'more' if epochs > EPOCHS else 'less'} training than the rules allow"
    yield epochs != EPOCHS, "error", "epochs", f"{epochs} epochs instead of {EPOCHS}", effect, "certain"
    effect = "another draw, and in stock code another split"
    is_other = isinstance(seed, int) and seed != OFFICIAL_SEED
    yield is_other, "warning", "seed", f"seed {seed} instead of {OFFICIAL_SEED}", effect, "certain"
    n_train, n_titles = geometry.n_train_titles, geometry.n_train_titles + geometry.n_val_titles
    is_other = run.count("num_titles", "titles_count") is not None and n_titles != NUM_TITLES
    effect = "another task: compare it with nothing else"
    yield is_other, "error", "titles", f"{n_titles:,} titles instead of {NUM_TITLES:,}", effect, "certain"
    expected = round(n_titles * (1 - VAL_FRACTION))
    is_other = run.count("num_titles") is not None and run.count("titles_count") not in (None, expected)
    message = f"{n_train:,} titles to train on instead of {expected:,} of {n_titles:,}"
    effect = "titles to validate on were trained on" if n_train > expected else "less to train on than the rules give"
    yield is_other, "error", "split", message, effect, "certain"
    message = "the validation tokens or characters that the log names are not those of its dataset's split"
    effect = "they are not believed: the number is corrected as if they were not there"
    yield contradicts_dataset(geometry, dataset), "error", "validation-size", message, effect, "likely"
    is_other = isinstance(fraction, float) and not math.isclose(fraction, VAL_FRACTION)
    message = f"validation fraction {clean(str(fraction), 20)} instead of {VAL_FRACTION:g}"
    yield is_other, "error", "validation-fraction", message, "other validation titles", "certain"
    size = geometry.vocab_size if geometry.vocab_size is not None else 256
    effect = "the number is void if text became <unk>"
    yield size < 256, "error", "vocabulary", f"a vocabulary of {size} cannot spell the titles", effect, "likely"
    for name, value in run.header.items():
        message = f"the log's settings name a tokenizer that loses text: {clean(name)} = {clean(str(value), 40)}"
        effect = "an easier text than the one that divides is predicted: compare with no lossless run"
        yield loses_text(name, value), "error", "lossy-tokenizer", message, effect, "likely"
    message = f"the dataset version is unknown: {dataset.how}"
    effect = "cannot be ranked against others"
    yield dataset.name is None, "warning", "dataset-unknown", message, effect, "certain"


def _budget(run: LoggedRun, geometry: Geometry) -> Iterator[_Check]:
    batch, tokens, batches = geometry.training_batch_tokens, geometry.tokens_per_epoch, geometry.batches_per_epoch
    titles = run.count("titles_count")
    if titles is not None and tokens is not None:
        message = f"{tokens:,} training tokens for {titles:,} titles: more than they have characters (about 56 each)"
        effect = "training text was multiplied or padded, which the rules forbid, and validation tokens cannot be told"
        yield tokens > _CHARS_PER_TITLE * titles, "error", "training-text-changed", message, effect, "likely"
    if batch is not None and tokens is not None:
        steps = max(run.training.last_step, run.max_steps or 0, max(run.evaluations, default=0))
        message = f"{steps:,} steps of {batch:,} tokens are more than {EPOCHS} x {tokens:,}"
        effect = f"{steps * batch / tokens:.1f} epochs' worth, unless steps are parts of a batch"
        yield steps * batch > EPOCHS * tokens, "error", "token-budget", message, effect, "likely"
        message = f"{batches or 0:,} batches per epoch, but {tokens:,} tokens make {tokens // batch:,} of {batch:,}"
        effect = "gradient accumulation or another evaluation batch: the windows may not be those assumed here"
        yield batches not in (None, tokens // batch), "warning", "batch-mismatch", message, effect, "likely"


def _course(run: LoggedRun) -> Iterator[_Check]:
    """How training went, as far as its losses tell."""
    training = run.training
    bad = [step for step, loss in run.evaluations.items() if loss is not None and not math.isfinite(loss)]
    message = f"{training.n_not_finite} training losses are not finite, the first at step {training.first_not_finite}"
    yield training.n_not_finite, "error", "not-finite", message, "what follows is not training", "certain"
    message = f"{len(bad)} validation losses are not finite, the first at step {[*bad, 0][0]}"
    yield bad, "error", "not-finite", message, None, "certain"
    step, *losses = training.first_spike or (0, 0.0, 0.0)
    shown = " after a median of ".join(format_metric("train_loss_nats_per_token", loss) for loss in losses)
    message = f"{training.n_spikes} spikes of the training loss, the first at step {step}: {shown}"
    yield training.n_spikes, "note", "spikes", message, None, "certain"
    message = f"{training.n_missing:,} of {training.last_step:,} steps are not in the log"
    yield training.n_missing, "note", "missing-steps", message, None, "certain"
    message = f"{training.duplicates:,} training steps were logged again or out of order"
    yield training.duplicates, "note", "duplicate-steps", message, "resumed, or two runs write one file", "certain"
    message = f"{run.n_evaluations_repeated:,} evaluations were logged again; the later one counts"
    yield run.n_evaluations_repeated, "note", "duplicate-steps", message, None, "certain"


def _ending(run: LoggedRun) -> Iterator[_Check]:
    losses, planned = run.finite_evaluations, run.max_steps
    last_step = max(run.training.last_step, max(run.evaluations, default=0))
    if planned is not None and last_step < planned:
        message = f"the log ends at step {last_step:,} of {planned:,}"
        yield True, "warning", "unfinished", message, "its last figure is not a result", "certain"
    elif planned is not None and last_step > planned:
        message = f"the log goes on to step {last_step:,}, beyond its {planned:,}"
        yield True, "error", "too-many-steps", message, "more training than it says", "certain"
    elif losses and max(losses) < last_step:
        message = f"the last evaluation is at step {max(losses):,}, training went on to {last_step:,}"
        yield True, "warning", "no-final-evaluation", message, "the final model was not scored", "certain"
    yield not losses, "warning", "no-evaluation", "there is no validation loss in the log", None, "certain"
    best, last = min(losses, key=lambda step: (losses[step], step), default=0), max(losses, default=0)
    low, end = losses.get(best, 0.0), losses.get(last, 0.0)
    message = (
        f"the best evaluation ({loss_text(low)} at step {best:,}) is not the last ({loss_text(end)} at step {last:,})"
    )
    effect = f"quoting the best, chosen on the validation titles, flatters by {loss_text(end - low)}"
    yield low < end - _NOTICEABLE_LOSS, "warning", "best-not-last", message, effect, "certain"


def _cadence(run: LoggedRun, geometry: Geometry) -> Iterator[_Check]:
    """Stock evaluates after step 1, every floor(batches/3) steps, and at the end."""
    batches, epochs = geometry.batches_per_epoch, run.count("epochs") or EPOCHS
    if batches and run.evaluations and batches * epochs <= 10**6:
        expected = {step for step in evaluation_steps(batches, epochs) if step <= max(run.evaluations)}
        extra, absent = len(set(run.evaluations) - expected), len(expected - set(run.evaluations))
        message = f"{len(run.evaluations):,} evaluations; by the stock rule {absent:,} are absent and {extra:,} extra"
        effect = "more looks at the validation titles to choose from" if extra > absent else None
        yield extra or absent, "note", "cadence", message, effect, "certain"


def _reading(notes: ReadNotes, run: LoggedRun) -> Iterator[_Check]:
    """What is wrong with the file rather than with the run."""
    message = f"the last line ({notes.lines:,}) is cut short"
    yield notes.truncated_last_line, "note", "truncated", message, None, "certain"
    n_skipped = notes.not_json + notes.overlong
    yield n_skipped, "note", "other-lines", f"{n_skipped:,} lines are no events and were skipped", None, "certain"
    message = f"reading stopped after line {notes.lines:,}: {clean(notes.unreadable_rest or '')}"
    yield notes.unreadable_rest, "warning", "damaged-file", message, "what came after is unknown", "certain"
    message = "the file is too long; only its beginning was read"
    yield notes.cut_at_limit, "warning", "cut", message, None, "certain"
    message = f"the run at line {run.first_line:,} has no opening events; those of the one before it were taken"
    yield run.is_header_inherited, "note", "no-header", message, None, "likely"
    names = ", ".join(f"{name} ({n:,})" for name, n in run.unknown_events.most_common(5))
    yield names, "note", "unknown-events", f"events outside the challenge's format: {names}", None, "certain"


def loss_text(value: float) -> str:
    """A loss as a log prints it, nats per character."""
    return format_metric("official_val_loss_own_geometry", value)
