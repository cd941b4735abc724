"""A row of its own for each token, as stock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from sevenepochs.model.embedding import Embedding, EmbeddingConfig


@dataclass(frozen=True)
class Table(EmbeddingConfig, kind="table"):
    def build(self, vocab_size: int, d_model: int, texts: Sequence[str] | None) -> Embedding:
        return nn.Embedding(vocab_size, d_model)
