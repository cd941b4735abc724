"""`--reference`: another run on the same data, ours or a log, teaches the validation tokens and characters."""

from __future__ import annotations

from pathlib import Path

from sevenepochs.audit.events import clean
from sevenepochs.audit.first_step import first_step_of
from sevenepochs.audit.geometry import geometry_of
from sevenepochs.audit.interval import Interval
from sevenepochs.audit.log import LoggedRun, read_log
from sevenepochs.audit.ours import is_run_folder, reference_of_run
from sevenepochs.audit.recognise import Reference, recognise
from sevenepochs.audit.windows import coverage_of
from sevenepochs.errors import UserError
from sevenepochs.store.run import Run


def read_reference(path: Path) -> Reference:
    """What the run in a log or a run folder of ours tells about its data.

    Raises:
        UserError: it cannot be read, or does not say how many tokens an epoch has.
    """
    if is_run_folder(path):
        return reference_of_run(Run(path))
    name = clean(str(path))
    found = [reference for run in read_log(path).runs if (reference := _of_logged(run, name)) is not None]
    if not found:
        raise UserError(f"{name} cannot be a reference: its log has no dataset_info with tokens_per_epoch")
    return min(found, key=lambda reference: reference.r.half_width)


def _of_logged(run: LoggedRun, name: str) -> Reference | None:
    geometry = geometry_of(run)
    tokens = geometry.tokens_per_epoch
    if tokens is None:
        return None
    first = first_step_of(run, geometry.window_tokens)
    dataset = recognise(geometry, first, run.started_unix, None)
    coverage = coverage_of(geometry, dataset, first)
    chars = Interval.exact(geometry.val_chars) if geometry.val_chars is not None else dataset.validation_chars
    windows, window = coverage.windows, geometry.window_tokens
    if chars is None and first is not None and first.is_valid and windows is not None and window is not None:
        # (b) read backwards: the windows are known well enough, so the characters follow
        per_char = 1 / first.scored_per_char
        chars = Interval(*(bound * window * per_char for bound in windows)).widened(first.tolerance)
    assert coverage.val_tokens is not None, "tokens_per_epoch is known"
    return Reference(name, dataset.name, tokens, geometry.n_train_titles, coverage.val_tokens.times(1 / tokens), chars)
