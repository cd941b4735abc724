"""Which dataset a logged run is on: by its tokens, by a reference run on the same data, or by what fits."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sevenepochs.audit.datasets import (
    KNOWN_DATASETS,
    R_SPREAD,
    REFRESH_DATE,
    REFRESH_UNIX,
    Dataset,
    KnownDataset,
    by_tokens,
    r_for_other_tokenizer,
)
from sevenepochs.audit.first_step import FirstStep
from sevenepochs.audit.geometry import Geometry
from sevenepochs.audit.interval import Interval
from sevenepochs.protocol.budget import NUM_TITLES

_TOKENS_PER_TITLE_CV = 0.4  # standard deviation of a title's tokens over their mean; 0.35 on real headlines


@dataclass(frozen=True)
class Reference:
    """What another run on the same data teaches: `--reference`."""

    name: str
    dataset_name: str | None
    tokens_per_epoch: int
    n_train_titles: int
    r: Interval
    validation_chars: Interval | None


def recognise(
    geometry: Geometry, first: FirstStep | None, started_unix: float | None, reference: Reference | None
) -> Dataset:
    """The dataset of a run, with the ratio of validation to training tokens and the validation characters."""
    known = by_tokens(geometry.tokens_per_epoch)
    if known is not None:
        r, chars = known.r, known.validation_chars
        if reference is not None and reference.tokens_per_epoch == known.tokens_per_epoch:
            r, chars = reference.r, reference.validation_chars or chars
        how = f"{known.tokens_per_epoch:,} training tokens an epoch are those of stock BPE-16k on it"
        return Dataset(known.name, "certain", how, r, chars, known)
    if reference is not None:
        return _as_reference(geometry, reference)
    ratio = _title_ratio(geometry)
    if geometry.n_train_titles + geometry.n_val_titles != NUM_TITLES:
        return Dataset(None, "unknown", "not the challenge's 100,000 titles", ratio, None)
    return _by_fit(geometry, first, started_unix, ratio)


def _as_reference(geometry: Geometry, reference: Reference) -> Dataset:
    r = reference.r
    how = f"taken to be that of the reference {reference.name}"
    if geometry.tokens_per_epoch != reference.tokens_per_epoch:
        n_titles = geometry.n_train_titles + geometry.n_val_titles
        spread = R_SPREAD * math.sqrt(NUM_TITLES / n_titles)
        r = Interval(r.value, r.low - spread, r.high + spread)
        how += ", under another tokenizer"
    known = next((k for k in KNOWN_DATASETS if k.name == reference.dataset_name), None)
    return Dataset(reference.dataset_name, "likely", how, r, reference.validation_chars, known)


def _title_ratio(geometry: Geometry) -> Interval:
    """Validation titles over training titles, within three standard errors of the ratio of their tokens."""
    n_train, n_val = geometry.n_train_titles, geometry.n_val_titles
    relative = 3 * _TOKENS_PER_TITLE_CV * math.sqrt(1 / n_train + 1 / n_val)
    return Interval.around(n_val / n_train, min(relative, 0.9) * n_val / n_train)


def _by_fit(geometry: Geometry, first: FirstStep | None, started_unix: float | None, ratio: Interval) -> Dataset:
    """Another tokenizer: the versions whose characters and windows agree with the first evaluation, and the date."""
    fitting = [known for known in KNOWN_DATASETS if _fits(known, geometry, first)]
    is_old_log = started_unix is not None and started_unix < REFRESH_UNIX
    if is_old_log:
        fitting = [known for known in fitting if known.name == "2023"]
    if len(fitting) == 1:
        (known,) = fitting
        how = "another tokenizer than stock BPE-16k; the first evaluation fits this version alone"
        if is_old_log:
            how += f", and the log began before the data were refreshed on {REFRESH_DATE}"
        r = r_for_other_tokenizer(known)
        return Dataset(known.name, "likely" if is_old_log else "possible", how, r, known.validation_chars, known)
    if fitting:
        rs = [r_for_other_tokenizer(known) for known in fitting]
        r = Interval(sum(r.value for r in rs) / len(rs), min(r.low for r in rs), max(r.high for r in rs))
        names = " and ".join(known.name for known in fitting)
        how = f"another tokenizer than stock BPE-16k; the log fits {names} (a --reference on the same data would tell)"
        return Dataset(None, "unknown", how, r, None)
    if first is None or not first.is_valid:
        how = "another tokenizer than stock BPE-16k, and no usable first evaluation to tell by"
    else:
        how = "another tokenizer than stock BPE-16k, and no known version fits the first evaluation"
    return Dataset(None, "unknown", how, ratio, None)


def _fits(known: KnownDataset, geometry: Geometry, first: FirstStep | None) -> bool:
    if first is None or not first.is_valid or not geometry.tokens_per_epoch or not geometry.window_tokens:
        return False
    tokens = r_for_other_tokenizer(known).times(geometry.tokens_per_epoch)
    window = geometry.window_tokens
    least, most = (int(n // (window + 1)) * window for n in (tokens.low, tokens.high))
    tolerance = first.tolerance + known.validation_chars.relative
    scored = first.scored_per_char * known.validation_chars.value
    return least * (1 - tolerance) <= scored <= most * (1 + tolerance)
