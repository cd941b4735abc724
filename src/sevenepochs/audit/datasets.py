"""The dataset versions in circulation, and which of them a logged run is on.

Nobody pinned the hub dataset's revision, and it was refreshed on 2026-06-25; a loss on one version says nothing about
the other. A log names no dataset, but it logs the tokens of an epoch, and under stock BPE-16k each version has its own.
Under another tokenizer, another run on the same data tells, or what fits the first evaluation and the log's date.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from sevenepochs.audit.finding import Interval
from sevenepochs.audit.geometry import FirstStep, Geometry
from sevenepochs.protocol.budget import NUM_TITLES

# The refresh was seen between 14:10 and 16:00 UTC; a log that began before 14:00 cannot be on the new data.
REFRESH_UNIX = 1782396000  # 2026-06-25 14:00 UTC
# Spread of validation/training tokens over tokenizers on one split of 100,000 titles, as the public runs show it.
R_SPREAD = 0.0003
_TOKENS_PER_TITLE_CV = 0.4  # standard deviation of a title's tokens over their mean; 0.35 on real headlines


@dataclass(frozen=True)
class KnownDataset:
    """A version of the challenge's data.

    Attributes:
        tokens_per_epoch: training tokens under stock BPE-16k.
        r: validation tokens / training tokens, under stock BPE-16k.
        validation_chars: of the joined validation text, `<eos>` included.
        stock_val_loss: the stock program's last loss as it prints it, nats/char, 15 or 14 windows of 64x128 scored.
    """

    name: str
    tokens_per_epoch: int
    r: Interval
    validation_chars: Interval
    stock_val_loss: float
    stock_source: str
    best_known_corrected: float | None = None

    @property
    def r_of_other_tokenizer(self) -> Interval:
        return Interval.around(self.r.value, max(self.r.half_width, R_SPREAD))


_CHALLENGE_LOSS = 1.753258931249836  # the last of the challenge's own baseline.log
_2023 = (1_102_455, Interval.around(0.1101, R_SPREAD), Interval.around(533_000, 2_000))
_2026 = (1_168_720, Interval.around(0.1109, R_SPREAD), Interval.exact(562_970))
_STAND_IN = (1_155_158, Interval.exact(128_103 / 1_155_158), Interval.exact(557_661))
KNOWN_DATASETS = (
    KnownDataset("2023", *_2023, 1.7533, "the challenge's own log", 1.175),
    KnownDataset("2026", *_2026, 1.7518, "a public run of the stock program (dungTnguyen05)", 1.138),
    KnownDataset("stand-in", *_STAND_IN, 1.7461285843908754, "the stock program run on the stand-in"),
)


@dataclass(frozen=True)
class Dataset:
    """What a run was trained and validated on.

    Attributes:
        name: "2023", "2026", "stand-in", a corpus of our own runs, or None.
        how: why we think so, one sentence.
        r: validation/training tokens; validation_chars: None where unknown.
    """

    name: str | None
    confidence: Literal["certain", "likely", "possible", "unknown"]
    how: str
    r: Interval
    validation_chars: Interval | None
    known: KnownDataset | None = None


@dataclass(frozen=True)
class Reference:
    """What another run on the same data teaches: `--reference`, or a sibling log.

    Attributes:
        kind: "the reference", or what else the run is.
        confidence: how sure its dataset's name is, "likely" at most.
    """

    name: str
    dataset_name: str | None
    tokens_per_epoch: int
    n_train_titles: int
    r: Interval
    validation_chars: Interval | None
    kind: str = "the reference"
    confidence: Literal["likely", "possible"] = "likely"


def dataset_named(name: str | None) -> KnownDataset | None:
    return next((known for known in KNOWN_DATASETS if known.name == name), None)


def is_challenge_log(evaluations: dict[int, float | None]) -> bool:
    """Whether a log is the challenge's own baseline.log, which nearly every fork carries: by its last loss."""
    return evaluations.get(938) == _CHALLENGE_LOSS


def recognise(
    geometry: Geometry, first: FirstStep | None, started_unix: float | None, reference: Reference | None
) -> Dataset:
    """The dataset of a run, with the ratio of validation to training tokens and the validation characters."""
    known = next((known for known in KNOWN_DATASETS if known.tokens_per_epoch == geometry.tokens_per_epoch), None)
    if known is not None:
        r, chars = known.r, known.validation_chars
        if reference is not None and reference.tokens_per_epoch == known.tokens_per_epoch:
            r, chars = reference.r, reference.validation_chars or chars
        how = f"{known.tokens_per_epoch:,} training tokens per epoch are those of stock BPE-16k on it"
        return Dataset(known.name, "certain", how, r, chars, known)
    if reference is not None:
        return _as_reference(geometry, reference)
    # validation titles over training titles, within three standard errors of the ratio of their tokens
    n_train, n_val = geometry.n_train_titles, geometry.n_val_titles
    relative = 3 * _TOKENS_PER_TITLE_CV * math.sqrt(1 / n_train + 1 / n_val)
    ratio = Interval.around(n_val / n_train, min(relative, 0.9) * n_val / n_train)
    if n_train + n_val != NUM_TITLES:
        return Dataset(None, "unknown", "not the challenge's 100,000 titles", ratio, None)
    return _by_fit(geometry, first, started_unix, ratio)


def _as_reference(geometry: Geometry, reference: Reference) -> Dataset:
    r = reference.r
    how = f"taken to be that of {reference.kind} {reference.name}"
    if geometry.tokens_per_epoch != reference.tokens_per_epoch:
        n_titles = geometry.n_train_titles + geometry.n_val_titles
        spread = R_SPREAD * math.sqrt(NUM_TITLES / n_titles)
        r = Interval(r.value, r.low - spread, r.high + spread)
        how += ", under another tokenizer"
    known = dataset_named(reference.dataset_name)
    return Dataset(reference.dataset_name, reference.confidence, how, r, reference.validation_chars, known)


def _by_fit(geometry: Geometry, first: FirstStep | None, started_unix: float | None, ratio: Interval) -> Dataset:
    """Another tokenizer: the versions whose characters and windows agree with the first evaluation, and the date."""
    other = "another tokenizer than stock BPE-16k"
    is_old_log = started_unix is not None and started_unix < REFRESH_UNIX
    fitting = [known for known in KNOWN_DATASETS if _fits(known, geometry, first)]
    fitting = [known for known in fitting if known.name == "2023" or not is_old_log]
    if len(fitting) == 1:
        (known,) = fitting
        how = f"{other}; the first evaluation fits this version alone"
        how += ", and the log began before the data were refreshed on 2026-06-25" if is_old_log else ""
        confidence: Literal["likely", "possible"] = "likely" if is_old_log else "possible"
        return Dataset(known.name, confidence, how, known.r_of_other_tokenizer, known.validation_chars, known)
    if fitting:
        rs = [known.r_of_other_tokenizer for known in fitting]
        r = Interval(sum(r.value for r in rs) / len(rs), min(r.low for r in rs), max(r.high for r in rs))
        names = " and ".join(known.name for known in fitting)
        how = f"{other}; the log fits {names} (a --reference on the same data would tell)"
        return Dataset(None, "unknown", how, r, None)
    if first is None or not first.is_valid:
        return Dataset(None, "unknown", f"{other}, and no usable first evaluation to tell by", ratio, None)
    return Dataset(None, "unknown", f"{other}, and no known version fits the first evaluation", ratio, None)


def _fits(known: KnownDataset, geometry: Geometry, first: FirstStep | None) -> bool:
    if first is None or not first.is_valid or not geometry.tokens_per_epoch or not geometry.window_tokens:
        return False
    tokens = known.r_of_other_tokenizer.times(geometry.tokens_per_epoch)
    window = geometry.window_tokens
    least, most = (int(n // (window + 1)) * window for n in (tokens.low, tokens.high))
    tolerance = first.tolerance + known.validation_chars.relative
    scored = first.scored_per_char * known.validation_chars.value
    return least * (1 - tolerance) <= scored <= most * (1 + tolerance)
