"""From token ids to vectors. A tied head multiplies by the same matrix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol

from torch import Tensor

from sevenepochs.config import Config


class Embedding(Protocol):
    """A module x_BT -> x_BTD that gives each token its row of `weight`; `nn.Embedding` is one."""

    @property
    def weight(self) -> Tensor:
        """The vector of each token (V, D); it may be computed anew at every call, so ask when it is needed."""

    def __call__(self, x_BT: Tensor) -> Tensor: ...


class EmbeddingConfig(Config, ABC):
    """Slot `model.embedding`. `reads_texts`: whether `build` is to be given what the tokens say."""

    reads_texts: ClassVar[bool] = False

    @abstractmethod
    def build(self, vocab_size: int, d_model: int, texts: Sequence[str] | None) -> Embedding:
        """The module.

        Args:
            texts: `Tokenizer.texts`; None where only the vocabulary's size is known.

        Raises:
            ValueError: the texts are needed.
        """
