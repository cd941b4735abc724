"""From token ids to vectors. A tied head multiplies by the same matrix. The stock table is here, sums are beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor, nn

from sevenepochs.config import Config


class Embedding(Protocol):
    """A module x_BT -> x_BTD that gives each token its row of `weight`; `nn.Embedding` is one."""

    @property
    def weight(self) -> Tensor:
        """The vector of each token (V, D), possibly computed anew at every access."""

    def __call__(self, x_BT: Tensor) -> Tensor: ...


class EmbeddingConfig(Config, ABC):
    """Slot `model.embedding`. `reads_texts`: whether `build` needs the tokens' texts."""

    reads_texts: ClassVar[bool] = False

    @abstractmethod
    def build(self, vocab_size: int, d_model: int, texts: Sequence[str] | None) -> Embedding:
        """Return the module.

        Args:
            texts: `Tokenizer.texts`; None where only the vocabulary's size is known.

        Raises:
            ValueError: the texts are needed.
        """


@dataclass(frozen=True)
class Table(EmbeddingConfig, kind="table"):
    """A row per token, as stock."""

    def build(self, vocab_size: int, d_model: int, texts: Sequence[str] | None) -> Embedding:
        return nn.Embedding(vocab_size, d_model)
