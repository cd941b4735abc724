"""The dataset versions in circulation, and which of them a logged run is on.

Nobody pinned the hub dataset's revision, and it was refreshed on 2026-06-25; a loss on one version says nothing about
the other. A log names no dataset, but it logs the tokens of an epoch, and under stock BPE-16k each version has its own.
Under another tokenizer, another run on the same data tells, or what fits the first evaluation and the log's date.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import Literal

from sevenepochs.audit.finding import Confidence, Interval
from sevenepochs.audit.geometry import FirstStep, Geometry, multiplier_at
from sevenepochs.protocol.budget import NUM_TITLES, STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE

# The refresh was seen between 14:10 and 16:00 UTC; a log that began before 14:00 cannot be on the new data.
REFRESH_UNIX = 1782396000  # 2026-06-25 14:00 UTC
STOCK_WINDOW = STOCK_BATCH_SIZE * STOCK_BLOCK_SIZE
# Spread of validation/training tokens over tokenizers on one split of 100,000 titles, as the public runs show it.
_R_SPREAD = 0.0003
_TOKENS_PER_TITLE_CV = 0.4  # standard deviation of a title's tokens over their mean; 0.35 on real headlines
_CHALLENGE_LOSS = 1.753258931249836  # the last of the challenge's own baseline.log


@dataclass(frozen=True)
class KnownDataset:
    """A version of the challenge's data. Tokens are those of stock BPE-16k, losses are in nats per character."""

    name: str
    tokens_per_epoch: int
    r: Interval  # validation tokens / training tokens
    validation_chars: Interval  # of the joined validation text, `<eos>` included
    stock_val_loss: float  # the stock program's last loss as it prints it, 15 or 14 windows of 64x128 scored
    stock_source: str
    best_known_corrected: float | None = None  # the best lossless public result over the full text

    def dataset(self, confidence: Confidence, how: str) -> Dataset:
        r = self.r if confidence == "certain" else Interval.around(self.r.value, _R_SPREAD)
        return Dataset(self.name, confidence, how, r, self.validation_chars, self)

    def corrected(self, loss: float, window_tokens: float) -> float:
        """Return a loss in whole windows over the full text; infinite where no window fits."""
        return loss * multiplier_at(self.r.value * self.tokens_per_epoch, window_tokens)

    @property
    def stock_corrected(self) -> float:
        """The stock program's loss over the full text, from what it prints and what it scores."""
        return self.corrected(self.stock_val_loss, STOCK_WINDOW)


KNOWN_DATASETS = (
    KnownDataset(
        "2023", 1_102_455, Interval.around(0.1101, _R_SPREAD), Interval.around(533_000, 2_000),
        1.7533, "the challenge's own log", 1.175,
    ),
    KnownDataset(
        "2026", 1_168_720, Interval.around(0.1109, _R_SPREAD), Interval.exact(562_970),
        1.7518, "a public run of the stock program (dungTnguyen05)", 1.138,
    ),
    KnownDataset(
        "stand-in", 1_155_158, Interval.exact(128_103 / 1_155_158), Interval.exact(557_661),
        1.7461285843908754, "the stock program run on the stand-in",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """The data that a run was trained and validated on."""

    name: str | None  # "2023", "2026", "stand-in", a corpus of our own runs, or None
    confidence: Literal["certain", "likely", "possible", "unknown"]
    how: str  # why we think so, one sentence
    r: Interval  # validation tokens / training tokens
    validation_chars: Interval | None  # None where unknown
    known: KnownDataset | None = None


@dataclass(frozen=True)
class Reference:
    """Another run on the same data, and what it proves about them."""

    name: str  # "the reference NAME" for `--reference`, "its sibling log NAME" for a log of the same repository
    tokens_per_epoch: int
    dataset: Dataset  # "likely" at most


def is_challenge_log(evaluations: dict[int, float | None]) -> bool:
    """Whether a log is the challenge's own baseline.log, which nearly every fork carries: by its last loss."""
    return evaluations.get(938) == _CHALLENGE_LOSS


def recognise(
    geometry: Geometry, first: FirstStep | None, started_unix: float | None, reference: Reference | None
) -> Dataset:
    """Return the dataset of a run, with the ratio of validation to training tokens and the validation characters."""
    n_train, n_val, tokens = geometry.n_train_titles, geometry.n_val_titles, geometry.tokens_per_epoch
    known = next((known for known in KNOWN_DATASETS if known.tokens_per_epoch == tokens), None)
    if reference is not None and (tokens == reference.tokens_per_epoch or known is None):
        r, how = reference.dataset.r, f"taken to be that of {reference.name}"
        if tokens != reference.tokens_per_epoch:
            spread = _R_SPREAD * math.sqrt(NUM_TITLES / (n_train + n_val))
            r = Interval(r.value, r.low - spread, r.high + spread)
            how += ", under another tokenizer"
        return replace(reference.dataset, r=r, how=how)
    if known is not None:
        return known.dataset("certain", f"{tokens:,} training tokens per epoch are those of stock BPE-16k on it")
    # validation titles over training titles, within three standard errors of the ratio of their tokens
    relative = 3 * _TOKENS_PER_TITLE_CV * math.sqrt(1 / n_train + 1 / n_val)
    ratio = Interval.around(n_val / n_train, min(relative, 0.9) * n_val / n_train)
    if n_train + n_val != NUM_TITLES:
        return Dataset(None, "unknown", "not the challenge's 100,000 titles", ratio, None)
    return _by_fit(geometry, first, started_unix is not None and started_unix < REFRESH_UNIX, ratio)


def _by_fit(geometry: Geometry, first: FirstStep | None, is_old_log: bool, ratio: Interval) -> Dataset:
    """Return the version whose characters and windows agree with the first evaluation and the date, if one does."""
    other = "another tokenizer than stock BPE-16k"
    if first is None or first.doubt is not None:
        return Dataset(None, "unknown", f"{other}, and no usable first evaluation to tell by", ratio, None)
    before = ", and the log began before the data were refreshed on 2026-06-25" if is_old_log else ""
    how = f"{other}; the first evaluation fits this version alone{before}"
    versions = KNOWN_DATASETS[:1] if is_old_log else KNOWN_DATASETS
    fitting = [known for known in versions if _fits(known, geometry, first)]
    if len(fitting) == 1:
        return fitting[0].dataset("likely" if is_old_log else "possible", how)
    if not fitting:
        return Dataset(None, "unknown", f"{other}, and no known version fits the first evaluation", ratio, None)
    names = " and ".join(known.name for known in fitting)
    how = f"{other}; the log fits {names} (a --reference on the same data would tell)"
    values = [one.r.value for one in fitting]
    r = Interval(statistics.mean(values), min(values) - _R_SPREAD, max(values) + _R_SPREAD)
    return Dataset(None, "unknown", how, r, None)


def _fits(known: KnownDataset, geometry: Geometry, first: FirstStep) -> bool:
    """Whether what the first evaluation scored is what whole windows of this version hold, rounded down and up."""
    if not geometry.tokens_per_epoch or not geometry.window_tokens:
        return False
    window = geometry.window_tokens
    tokens = Interval.around(known.r.value, _R_SPREAD).times(geometry.tokens_per_epoch)
    scored = known.validation_chars.times(first.scored_per_char).widened(first.tolerance)
    return Interval(*(bound // (window + 1) * window for bound in tokens)).overlaps(scored)
