"""The stock batches: consecutive windows of the joined stream, the same in every epoch, no shuffling.

A window is batch*block+1 tokens; the next one starts batch*block later; when it would reach the end of the stream it
starts over. So the tail of the stream is never trained on, and that is part of the stock rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sevenepochs.data.batches import BatchesConfig, TrainingBatches
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE
from sevenepochs.protocol.rows import Rows, stock_rows


@dataclass(frozen=True)
class Stream(BatchesConfig, kind="stream"):
    batch_size: int = STOCK_BATCH_SIZE
    block_size: int = STOCK_BLOCK_SIZE

    def build(self, ids: np.ndarray, eos_id: int, seed: int) -> TrainingBatches:
        return StreamBatches(ids, self.batch_size, self.block_size)

    def scoring_rows(self, ids: np.ndarray, eos_id: int) -> Rows:
        return stock_rows(len(ids), self.block_size)


class StreamBatches:
    """`ids`: the training stream. Raises UserError when it is shorter than one window."""

    def __init__(self, ids: np.ndarray, batch_size: int, block_size: int) -> None:
        self.targets_per_step = batch_size * block_size
        check_one_batch(len(ids), batch_size, block_size)
        self.steps_per_epoch = len(ids) // self.targets_per_step
        # windows before the wrap: the challenge starts over as soon as pointer + span >= length
        self._n_windows = max(1, (len(ids) - 2) // self.targets_per_step)
        self._ids = ids
        self._shape = (batch_size, block_size)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        start = (step - 1) % self._n_windows * self.targets_per_step
        window = self._ids[start : start + self.targets_per_step + 1].astype(np.int64)
        return window[:-1].reshape(self._shape), window[1:].reshape(self._shape)


def check_one_batch(n_tokens: int, batch_size: int, block_size: int) -> None:
    """Raise a UserError when the stream is shorter than one window."""
    span = batch_size * block_size + 1
    if n_tokens < span:
        raise UserError(
            f"the corpus has {n_tokens:,} training tokens, less than one batch: {batch_size} x {block_size} tokens "
            f"need at least {span:,}; use more titles, or --set batches.batch_size=N / batches.block_size=N"
        )
