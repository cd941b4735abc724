"""The dataset versions in circulation, as far as a log can tell them apart.

Nobody pinned the hub dataset's revision, and it was refreshed on 2026-06-25; a loss on one version says nothing about
the other. A log names no dataset, but it logs the tokens of an epoch, and under stock BPE-16k each version has its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sevenepochs.audit.interval import Interval

# The refresh was seen between 14:10 and 16:00 UTC; a log that began before 14:00 cannot be on the new data.
REFRESH_UNIX = 1782396000  # 2026-06-25 14:00 UTC
REFRESH_DATE = "2026-06-25"
# Spread of validation/training tokens over tokenizers on one split of 100,000 titles, as the public runs show it.
R_SPREAD = 0.0003


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


KNOWN_DATASETS = (
    KnownDataset(
        "2023",
        1_102_455,
        Interval.around(0.1101, R_SPREAD),
        Interval.around(533_000, 2_000),
        1.7533,
        "the challenge's own log",
        1.175,
    ),
    KnownDataset(
        "2026",
        1_168_720,
        Interval.around(0.1109, R_SPREAD),
        Interval.exact(562_970),
        1.7518,
        "a public run of the stock program (dungTnguyen05)",
        1.138,
    ),
    KnownDataset(
        "stand-in",
        1_155_158,
        Interval.exact(128_103 / 1_155_158),
        Interval.exact(557_661),
        1.7461285843908754,
        "the stock program run on the stand-in",
    ),
)

Confidence = Literal["certain", "likely", "possible", "unknown"]


@dataclass(frozen=True)
class Dataset:
    """What a run was trained and validated on.

    Attributes:
        name: "2023", "2026", "stand-in", a corpus of our own runs, or None.
        how: why we think so, one sentence.
        r: validation/training tokens; validation_chars: None where unknown.
    """

    name: str | None
    confidence: Confidence
    how: str
    r: Interval
    validation_chars: Interval | None
    known: KnownDataset | None = None


def by_name(name: str | None) -> KnownDataset | None:
    return next((known for known in KNOWN_DATASETS if known.name == name), None)


def by_tokens(tokens_per_epoch: int | None) -> KnownDataset | None:
    return next((known for known in KNOWN_DATASETS if known.tokens_per_epoch == tokens_per_epoch), None)


def r_for_other_tokenizer(known: KnownDataset) -> Interval:
    """The version's r with what another tokenizer may change."""
    return Interval.around(known.r.value, max(known.r.half_width, R_SPREAD))
