"""Batches of the joined stream, in its own order (stock) or with its titles in another order each epoch.

Stock: a window is batch*block+1 tokens; the next one starts batch*block later; when it would reach the end of the
stream it starts over. So the tail of the stream is never trained on, and that is part of the stock rule.

Shuffled: titles are cut at other places and stand beside other titles every time. The order is a function of (seed,
epoch). A window begins where the last one ended; the rest of an epoch, less than one batch, is left out of it, and the
next epoch leaves out other titles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sevenepochs.config import check_choice
from sevenepochs.data.batches import BatchesConfig, TrainingBatches
from sevenepochs.data.batches.title_rows import find_titles, ranges, rows_of_whole_titles
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import STOCK_BATCH_SIZE, STOCK_BLOCK_SIZE
from sevenepochs.protocol.rows import Rows, stock_rows

ScoredBy = Literal["stream", "titles"]


@dataclass(frozen=True)
class Stream(BatchesConfig, kind="stream"):
    batch_size: int = STOCK_BATCH_SIZE
    block_size: int = STOCK_BLOCK_SIZE

    def build(self, ids: np.ndarray, eos_id: int, seed: int) -> TrainingBatches:
        return StreamBatches(ids, (self.batch_size, self.block_size))

    def scoring_rows(self, ids: np.ndarray, eos_id: int) -> Rows:
        return stock_rows(len(ids), self.block_size)


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
        return ShuffledStreamBatches(ids, eos_id, seed, (self.batch_size, self.block_size))

    def scoring_rows(self, ids: np.ndarray, eos_id: int) -> Rows:
        if self.scored_by == "titles":
            return rows_of_whole_titles(ids, eos_id, self.block_size)
        return stock_rows(len(ids), self.block_size)


class StreamBatches:
    """`ids`: the training stream. Raises UserError when it is shorter than one window."""

    def __init__(self, ids: np.ndarray, shape: tuple[int, int]) -> None:
        self.targets_per_step, self.steps_per_epoch = _epoch_of(len(ids), shape)
        # windows before the wrap: the challenge starts over as soon as pointer + span >= length
        self._n_windows = max(1, (len(ids) - 2) // self.targets_per_step)
        self._ids, self._shape = ids, shape

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        return _window(self._ids, (step - 1) % self._n_windows, self._shape)


class ShuffledStreamBatches:
    """Raises UserError when the stream is shorter than one window."""

    def __init__(self, ids: np.ndarray, eos_id: int, seed: int, shape: tuple[int, int]) -> None:
        self.targets_per_step, self.steps_per_epoch = _epoch_of(len(ids), shape)
        self._ids, self._eos_id, self._seed, self._shape = ids, eos_id, seed, shape
        self._start_N, self._length_N = find_titles(ids, eos_id)
        self._epoch, self._stream = 0, np.empty(0, dtype=ids.dtype)  # the epoch laid out last

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, index = divmod(step - 1, self.steps_per_epoch)
        if epoch + 1 != self._epoch:
            self._epoch = epoch + 1
            order = np.random.default_rng((self._seed, self._epoch)).permutation(len(self._start_N))
            shuffled = self._ids[ranges(self._start_N[order], self._length_N[order])]
            self._stream = np.concatenate((np.array([self._eos_id], dtype=self._ids.dtype), shuffled))
        return _window(self._stream, index, self._shape)


def _window(ids: np.ndarray, index: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of the window with this number, from 0."""
    n = shape[0] * shape[1]
    window = ids[index * n : (index + 1) * n + 1].astype(np.int64)
    return window[:-1].reshape(shape), window[1:].reshape(shape)


def _epoch_of(n_tokens: int, shape: tuple[int, int]) -> tuple[int, int]:
    """Targets per step and steps per epoch; a UserError when the stream is shorter than one window."""
    n = shape[0] * shape[1]
    if n_tokens < n + 1:
        raise UserError(
            f"the corpus has {n_tokens:,} training tokens, less than one batch: {shape[0]} x {shape[1]} tokens "
            f"need at least {n + 1:,}; use more titles, or --set batches.batch_size=N / batches.block_size=N"
        )
    return n, n_tokens // n
