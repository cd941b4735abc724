"""What a model has read so far, so that the next token costs one token's work. Values, not state: `Reader.read_on`
gives a new Memory and leaves the old one alone, so typists, threads and samples may share a prefix.

B rows, T positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sevenepochs.model.context import Past
from sevenepochs.model.gpt import GPTModel


@dataclass(frozen=True)
class Memory:
    """Rows of ids, all of one length, and the keys and values that the model keeps of them."""

    ids_BT: np.ndarray
    past: Past

    @classmethod
    def empty(cls, model: GPTModel, n_rows: int) -> Memory:
        """Nothing read yet."""
        return cls(np.empty((n_rows, 0), dtype=np.int64), model.new_past(n_rows))

    def __len__(self) -> int:
        """Tokens read, of every row."""
        return int(self.ids_BT.shape[1])

    @property
    def n_bytes(self) -> int:
        """Memory of the keys and values; of a `compact` memory, all that it holds of them."""
        return self.past.n_bytes

    def first(self, n_tokens: int) -> Memory:
        """As it was after the first `n_tokens`."""
        return Memory(self.ids_BT[:, :n_tokens], self.past.first(n_tokens))

    def compact(self) -> Memory:
        """The same in memory of its own size, for whoever keeps it: what `first` and `read_on` give may be views, which
        keep all that they were cut from alive."""
        return Memory(self.ids_BT.copy(), self.past.compact())

    def rows(self, index_B: np.ndarray) -> Memory:
        """The chosen rows; a row may be chosen several times."""
        return Memory(self.ids_BT[index_B], self.past.rows(torch.from_numpy(np.asarray(index_B, dtype=np.int64))))
