"""What looks odd in a logged run: broken rules, a number that is not the last one, training that misbehaved."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sevenepochs.audit.datasets import Dataset
from sevenepochs.audit.events import ReadNotes, clean
from sevenepochs.audit.finding import Finding
from sevenepochs.audit.geometry import Geometry
from sevenepochs.audit.log import LoggedRun
from sevenepochs.audit.lossy_settings import loses_text
from sevenepochs.audit.windows import contradicts_dataset
from sevenepochs.metrics import format_metric
from sevenepochs.protocol.budget import EPOCHS, NUM_TITLES, OFFICIAL_SEED, VAL_FRACTION, evaluation_steps

_CHARS_PER_TITLE = 75  # the known versions have 56, <eos> included
_NOTICEABLE_LOSS = 0.0005  # nats/char; below, best and last are one number


def rule_findings(run: LoggedRun, geometry: Geometry, dataset: Dataset) -> Iterator[Finding]:
    """The rules that a log's opening events can break."""
    where = f"{clean(str(run.path))}:{run.first_line}"
    epochs, seed = run.count("epochs"), run.header.get("seed")
    if epochs is not None and epochs != EPOCHS:
        effect = "more training than the rules allow" if epochs > EPOCHS else "less training than the rules allow"
        yield Finding("error", "epochs", f"{epochs} epochs instead of {EPOCHS}", where, effect, "certain")
    if isinstance(seed, int) and seed != OFFICIAL_SEED:
        message = f"seed {seed} instead of {OFFICIAL_SEED}"
        yield Finding("warning", "seed", message, where, "another draw, and in stock code another split", "certain")
    n_titles = geometry.n_train_titles + geometry.n_val_titles
    if run.count("num_titles", "titles_count") is not None and n_titles != NUM_TITLES:
        message = f"{n_titles:,} titles instead of {NUM_TITLES:,}"
        yield Finding("error", "titles", message, where, "another task: compare it with nothing else", "certain")
    expected = round(n_titles * (1 - VAL_FRACTION))
    if run.count("num_titles") is not None and run.count("titles_count") not in (None, expected):
        message = f"{geometry.n_train_titles:,} titles to train on instead of {expected:,} of {n_titles:,}"
        more = geometry.n_train_titles > expected
        leak = "titles to validate on were trained on" if more else "less to train on than the rules give"
        yield Finding("error", "split", message, where, leak, "certain")
    if contradicts_dataset(geometry, dataset):
        message = "the validation tokens or characters that the log names are not those of its dataset's split"
        effect = "they are not believed: the number is corrected as if they were not there"
        yield Finding("error", "validation-size", message, where, effect, "likely")
    fraction = run.header.get("val_frac")
    if isinstance(fraction, float) and not math.isclose(fraction, VAL_FRACTION):
        message = f"validation fraction {fraction:g} instead of {VAL_FRACTION:g}"
        yield Finding("error", "validation-fraction", message, where, "other validation titles", "certain")
    if geometry.vocab_size is not None and geometry.vocab_size < 256:
        message = f"a vocabulary of {geometry.vocab_size} cannot spell the titles"
        yield Finding("error", "vocabulary", message, where, "the number is void if text became <unk>", "likely")
    yield from _text_changes(run, geometry, where)
    yield from _budget(run, geometry, where)
    if dataset.name is None:
        message = f"the dataset version is unknown: {dataset.how}"
        yield Finding("warning", "dataset-unknown", message, where, "cannot be ranked against others", "certain")


def _text_changes(run: LoggedRun, geometry: Geometry, where: str) -> Iterator[Finding]:
    """What the settings and the number of tokens say about the text that was predicted."""
    for name, value in run.header.items():
        if loses_text(name, value):
            message = f"the log's settings name a tokenizer that loses text: {clean(name)} = {clean(str(value), 40)}"
            effect = "an easier text than the one that divides is predicted: compare with no lossless run"
            yield Finding("error", "lossy-tokenizer", message, where, effect, "likely")
    tokens, titles = geometry.tokens_per_epoch, geometry.n_train_titles
    if run.count("titles_count") is not None and tokens is not None and tokens > _CHARS_PER_TITLE * titles:
        message = f"{tokens:,} training tokens for {titles:,} titles: more than they have characters (about 56 each)"
        effect = "training text was multiplied or padded, which the rules forbid, and validation tokens cannot be told"
        yield Finding("error", "training-text-changed", message, where, effect, "likely")


def _budget(run: LoggedRun, geometry: Geometry, where: str) -> Iterator[Finding]:
    batch, tokens, batches = geometry.training_batch_tokens, geometry.tokens_per_epoch, geometry.batches_per_epoch
    if batch is None or tokens is None:
        return
    steps = max(run.training.last_step, run.max_steps or 0, max(run.evaluations, default=0))
    if steps * batch > EPOCHS * tokens:
        message = f"{steps:,} steps of {batch:,} tokens are more than {EPOCHS} x {tokens:,}"
        effect = f"{steps * batch / tokens:.1f} epochs' worth, unless steps are parts of a batch"
        yield Finding("error", "token-budget", message, where, effect, "likely")
    if batches is not None and batches != tokens // batch:
        message = f"{batches:,} batches an epoch, but {tokens:,} tokens make {tokens // batch:,} of {batch:,}"
        effect = "gradient accumulation or another evaluation batch: the windows may not be those assumed here"
        yield Finding("warning", "batch-mismatch", message, where, effect, "likely")


def course_findings(run: LoggedRun, geometry: Geometry) -> Iterator[Finding]:
    """How training went, as far as its losses tell."""
    training = run.training
    if training.n_not_finite:
        message = f"{training.n_not_finite} training losses are not finite, the first at step {training.not_finite[0]}"
        yield Finding("error", "not-finite", message, None, "what follows is not training", "certain")
    bad = [step for step, loss in run.evaluations.items() if loss is not None and not math.isfinite(loss)]
    if bad:
        message = f"{len(bad)} validation losses are not finite, the first at step {bad[0]}"
        yield Finding("error", "not-finite", message, None, None, "certain")
    if training.n_spikes:
        step, loss, median = training.spikes[0]
        message = (
            f"{training.n_spikes} spikes of the training loss, the first at step {step}: "
            f"{format_metric('train_loss_nats_per_token', loss)} after a median of "
            f"{format_metric('train_loss_nats_per_token', median)}"
        )
        yield Finding("note", "spikes", message, None, None, "certain")
    if training.n_missing:
        message = f"{training.n_missing:,} of {training.last_step:,} steps are not in the log"
        yield Finding("note", "missing-steps", message, None, None, "certain")
    if training.duplicates:
        message = f"{training.duplicates:,} training steps were logged again or out of order"
        effect = "resumed, or two runs write one file"
        yield Finding("note", "duplicate-steps", message, None, effect, "certain")
    if run.n_evaluations_repeated:
        message = f"{run.n_evaluations_repeated:,} evaluations were logged again; the later one counts"
        yield Finding("note", "duplicate-steps", message, None, None, "certain")
    yield from _ending(run)
    yield from _cadence(run, geometry)


def _ending(run: LoggedRun) -> Iterator[Finding]:
    losses = run.finite_evaluations
    last_step = max(run.training.last_step, max(run.evaluations, default=0))
    if run.max_steps is not None and last_step < run.max_steps:
        message = f"the log ends at step {last_step:,} of {run.max_steps:,}"
        yield Finding("warning", "unfinished", message, None, "its last figure is not a result", "certain")
    elif run.max_steps is not None and last_step > run.max_steps:
        message = f"the log goes on to step {last_step:,}, beyond its {run.max_steps:,}"
        yield Finding("error", "too-many-steps", message, None, "more training than it says", "certain")
    elif losses and max(losses) < last_step:
        message = f"the last evaluation is at step {max(losses):,}, training went on to {last_step:,}"
        yield Finding("warning", "no-final-evaluation", message, None, "the final model was not scored", "certain")
    if not losses:
        yield Finding("warning", "no-evaluation", "there is no validation loss in the log", None, None, "certain")
        return
    best, last = min(losses, key=lambda step: (losses[step], step)), max(losses)
    if losses[best] < losses[last] - _NOTICEABLE_LOSS:
        message = (
            f"the best evaluation ({format_metric('official_val_loss_own_geometry', losses[best])} at step {best:,}) "
            f"is not the last ({format_metric('official_val_loss_own_geometry', losses[last])} at step {last:,})"
        )
        gain = format_metric("official_val_loss_own_geometry", losses[last] - losses[best])
        effect = f"quoting the best, chosen on the validation titles, flatters by {gain}"
        yield Finding("warning", "best-not-last", message, None, effect, "certain")


def _cadence(run: LoggedRun, geometry: Geometry) -> Iterator[Finding]:
    """Stock evaluates after step 1, every floor(batches/3) steps, and at the end."""
    batches, epochs = geometry.batches_per_epoch, run.count("epochs") or EPOCHS
    if not batches or not run.evaluations or batches * epochs > 10**6:
        return
    last = max(run.evaluations)
    expected = {step for step in evaluation_steps(batches, epochs) if step <= last}
    extra, absent = len(set(run.evaluations) - expected), len(expected - set(run.evaluations))
    if extra or absent:
        message = f"{len(run.evaluations):,} evaluations; by the stock rule {absent:,} are absent and {extra:,} extra"
        effect = "more looks at the validation titles to choose from" if extra > absent else None
        yield Finding("note", "cadence", message, None, effect, "certain")


def reading_findings(notes: ReadNotes, run: LoggedRun) -> Iterator[Finding]:
    """What is wrong with the file rather than with the run."""
    where = clean(str(run.path))
    if notes.truncated_last_line:
        yield Finding("note", "truncated", "the last line is cut short", f"{where}:{notes.lines}", None, "certain")
    if notes.not_json or notes.overlong:
        message = f"{notes.not_json + notes.overlong:,} lines are no events and were skipped"
        yield Finding("note", "other-lines", message, where, None, "certain")
    if notes.unreadable_rest:
        message = f"reading stopped after line {notes.lines:,}: {clean(notes.unreadable_rest)}"
        yield Finding("warning", "damaged-file", message, where, "what came after is unknown", "certain")
    if notes.cut_at_limit:
        yield Finding("warning", "cut", "the file is too long; only its beginning was read", where, None, "certain")
    if run.is_header_inherited:
        message = "this run has no opening events; those of the one before it were taken"
        yield Finding("note", "no-header", message, f"{where}:{run.first_line}", None, "likely")
    if run.unknown_events:
        names = ", ".join(f"{name} ({n:,})" for name, n in run.unknown_events.most_common(5))
        yield Finding(
            "note", "unknown-events", f"events outside the challenge's format: {names}", where, None, "certain"
        )
