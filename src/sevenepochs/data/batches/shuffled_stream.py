"""The stream of the stock batches with its titles in another order each epoch, so that titles are cut at other places
and stand beside other titles every time.

The order is a function of (seed, epoch). A window begins where the last one ended; what is left over at the end of an
epoch, less than one batch, is not trained on in that epoch, and the next epoch leaves out other titles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sevenepochs.config import check_choice
from sevenepochs.data.batches import BatchesConfig, TrainingBatches
from sevenepochs.data.batches.stream import check_one_batch
from sevenepochs.data.batches.title_pieces import find_titles, positions_of, rows_of_whole_titles
from sevenepochs.protocol.budget import STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE
from sevenepochs.protocol.rows import Rows, stock_rows

ScoredBy = Literal["stream", "titles"]


@dataclass(frozen=True)
class ShuffledStream(BatchesConfig, kind="shuffled_stream"):
    """`scored_by`: "stream" scores in rows cut as the training's are; "titles" in rows of whole titles, so that the
    model has learnt to read a title that lost its beginning and yet is not asked to."""

    batch_size: int = STOCK_BATCH_SIZE
    block_size: int = STOCK_BLOCK_SIZE
    scored_by: ScoredBy = "stream"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("batches.scored_by", self.scored_by, ScoredBy)

    def build(self, ids: np.ndarray, eos_id: int, seed: int) -> TrainingBatches:
        return ShuffledStreamBatches(ids, eos_id, seed, self.batch_size, self.block_size)

    def scoring_rows(self, ids: np.ndarray, eos_id: int) -> Rows:
        if self.scored_by == "titles":
            return rows_of_whole_titles(ids, eos_id, self.block_size)
        return stock_rows(len(ids), self.block_size)


class ShuffledStreamBatches:
    """Raises UserError when the stream is shorter than one window."""

    def __init__(self, ids: np.ndarray, eos_id: int, seed: int, batch_size: int, block_size: int) -> None:
        check_one_batch(len(ids), batch_size, block_size)
        self.targets_per_step = batch_size * block_size
        self.steps_per_epoch = len(ids) // self.targets_per_step
        self._ids, self._eos_id, self._seed = ids, eos_id, seed
        self._titles = find_titles(ids, eos_id)
        self._shape = (batch_size, block_size)
        self._epoch, self._stream = 0, np.empty(0, dtype=ids.dtype)  # the epoch laid out last

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, index = divmod(step - 1, self.steps_per_epoch)
        start = index * self.targets_per_step
        window = self._epoch_stream(epoch + 1)[start : start + self.targets_per_step + 1].astype(np.int64)
        return window[:-1].reshape(self._shape), window[1:].reshape(self._shape)

    def _epoch_stream(self, epoch: int) -> np.ndarray:
        """`<eos>`, then every title once."""
        if epoch != self._epoch:
            order = np.random.default_rng((self._seed, epoch)).permutation(len(self._titles.start_N))
            shuffled = self._ids[positions_of(self._titles, order)]
            self._stream = np.concatenate((np.array([self._eos_id], dtype=self._ids.dtype), shuffled))
            self._epoch = epoch
        return self._stream
