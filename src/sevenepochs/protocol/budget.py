"""The fixed budget of the challenge: constants, the split rule, and where evaluations fall. No torch.

The rules are public facts of the "Mainrun" challenge (summarised in docs/protocol.md); the split follows
`datasets.shuffle(seed)`, which is `numpy.random.default_rng(seed).permutation(n_rows)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from sevenepochs.errors import UserError

EPOCHS = 7
DATA_SEED = 1337  # permutation and split; never changes inside the protocol
OFFICIAL_SEED = 1337  # initialisation, dropout, training order
NUM_TITLES = 100_000
VAL_FRACTION = 0.10
EVALS_PER_EPOCH = 3
STOCK_BATCH_SIZE = 64
STOCK_BLOCK_SIZE = 128
EOS = "<eos>"


@dataclasses.dataclass(frozen=True)
class Split:
    """Stripped titles in protocol order."""

    train: tuple[str, ...]
    validation: tuple[str, ...]


def permutation(n_rows: int, seed: int = DATA_SEED) -> np.ndarray:
    """Row order after shuffling: exactly what `datasets.Dataset.shuffle(seed)` yields (PCG64)."""
    return np.random.default_rng(seed).permutation(n_rows)


def split_titles(rows: Sequence[str]) -> Split:
    """The protocol's training and validation titles: shuffle, take the first 100,000 (or all), strip, cut 90/10.

    Raises:
        UserError: fewer than 10 rows, so that one of the two splits would be empty.
    """
    if len(rows) < 10:
        raise UserError(
            f"the corpus has {len(rows)} titles; at least 10 are needed to set a tenth aside for validation"
        )
    order = permutation(len(rows))[:NUM_TITLES]
    titles = [rows[i].strip() for i in order]
    n_train = int(len(titles) * (1 - VAL_FRACTION))
    return Split(tuple(titles[:n_train]), tuple(titles[n_train:]))


def joined_text(titles: Sequence[str]) -> str:
    """The text that the metric divides by: titles joined with `<eos>` and ending in one."""
    return EOS.join(titles) + EOS


def char_count(titles: Sequence[str]) -> int:
    """L: Unicode code points of the joined text, each `<eos>` counted as 5."""
    return sum(len(title) for title in titles) + len(EOS) * len(titles)


def evaluation_steps(batches_per_epoch: int, epochs: int = EPOCHS) -> list[int]:
    """Steps (from 1) after which a run evaluates: step 1, every floor(batches/3) steps, and the last one.

    With fewer than 3 batches an epoch the stock interval would be 0; then every step is evaluated.
    """
    total = batches_per_epoch * epochs
    interval = max(1, batches_per_epoch // EVALS_PER_EPOCH)
    return sorted({1, *range(interval, total + 1, interval), total})
