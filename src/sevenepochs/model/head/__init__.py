"""From the last hidden state to logits over the vocabulary."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.config import Config
from sevenepochs.model.embedding import Embedding


class HeadConfig(Config, ABC):
    """Slot `model.head`."""

    @abstractmethod
    def build(self, embedding: Embedding) -> nn.Module:
        """A module h_BTD -> logits_BTV; it may share the embedding's weights."""


class LinearHead(nn.Module, ABC):
    """A head that is a product with one matrix and then, at most, a bend of each logit by itself. Of such a head the
    loss can be taken a few rows at a time (learning/objective/chunked_head.py); others are free to be any module."""

    @property
    @abstractmethod
    def weight_VD(self) -> Tensor:
        """The matrix."""

    def bend(self, product: Tensor) -> Tensor:
        """Logits from the products, element by element."""
        return product

    def unbend(self, by_logits: Tensor, product: Tensor) -> Tensor:
        """The gradient by the products from that by the logits."""
        return by_logits

    def forward(self, h_BTD: Tensor) -> Tensor:
        return self.bend(F.linear(h_BTD, self.weight_VD))
