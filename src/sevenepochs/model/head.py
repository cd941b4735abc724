"""From the last hidden state to logits over the vocabulary.

B batch, T position, D model, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.config import Config, check_range
from sevenepochs.errors import UserError
from sevenepochs.model.embedding import Embedding


class HeadConfig(Config, ABC):
    """Slot `model.head`."""

    @abstractmethod
    def build(self, embedding: Embedding) -> nn.Module:
        """Return a module h_BTD -> logits_BTV; it may share the embedding's weights."""


class LinearHead(nn.Module, ABC):
    """A product with one matrix, then at most a bend of each logit by itself. The loss of such a head is computed a few
    rows at a time (learning/chunked_head.py); other heads may be any module."""

    @property
    @abstractmethod
    def weight_VD(self) -> Tensor:
        """The matrix."""

    def bend(self, product: Tensor) -> Tensor:
        """Return logits from the products, element by element."""
        return product

    def unbend(self, by_logits: Tensor, product: Tensor) -> Tensor:
        """Return the gradient by the products, from the gradient by the logits."""
        return by_logits

    def forward(self, h_BTD: Tensor) -> Tensor:
        return self.bend(F.linear(h_BTD, self.weight_VD))


@dataclass(frozen=True)
class Tied(HeadConfig, kind="tied"):
    """The output matrix is the token embedding itself (Press & Wolf 2017, arXiv:1608.05859), no bias, as stock."""

    def build(self, embedding: Embedding) -> nn.Module:
        return TiedHead(embedding)


class TiedHead(LinearHead):
    def __init__(self, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    @property
    def weight_VD(self) -> Tensor:
        return self.embedding.weight


@dataclass(frozen=True)
class Tempered(HeadConfig, kind="tempered"):
    """`Tied`, and outside training its logits are divided by `temperature` (Guo et al. 2017, arXiv:1706.04599): over
    seven epochs a model becomes surer than it is right. To be chosen on development titles, at proxy scale."""

    temperature: float = 1.04

    def __post_init__(self) -> None:
        check_range("head.temperature", self.temperature, 1e-3, 1e3)

    def build(self, embedding: Embedding) -> nn.Module:
        return TemperedHead(embedding, self.temperature)


class TemperedHead(TiedHead):
    def __init__(self, embedding: Embedding, temperature: float) -> None:
        super().__init__(embedding)
        self.temperature = temperature

    def bend(self, product: Tensor) -> Tensor:
        return product if self.training else product / self.temperature

    def unbend(self, by_logits: Tensor, product: Tensor) -> Tensor:
        return by_logits if self.training else by_logits / self.temperature


@dataclass(frozen=True)
class SoftCap(HeadConfig, kind="soft_cap"):
    """The logits of the head `of`, squeezed into (-cap, cap) by cap tanh(logits / cap), so that no token becomes
    arbitrarily certain (Gemma Team 2024, arXiv:2408.00118; Bello et al. 2016, arXiv:1611.09940).
    """

    cap: float = 15.0
    of: HeadConfig = field(default_factory=Tied)

    def __post_init__(self) -> None:
        check_range("head.cap", self.cap, 1e-3, 1e6)

    def build(self, embedding: Embedding) -> nn.Module:
        head = self.of.build(embedding)
        if not isinstance(head, LinearHead):
            raise UserError(f"model.head.of = {type(self.of).__name__}: a soft cap goes on a head that is a LinearHead")
        return CappedHead(head, self.cap)


class CappedHead(LinearHead):
    def __init__(self, head: LinearHead, cap: float) -> None:
        super().__init__()
        self.of = head
        self.cap = cap

    @property
    def weight_VD(self) -> Tensor:
        return self.of.weight_VD

    def bend(self, product: Tensor) -> Tensor:
        return self.cap * self._squeezed(product)

    def unbend(self, by_logits: Tensor, product: Tensor) -> Tensor:
        return self.of.unbend(by_logits * (1.0 - self._squeezed(product) ** 2), product)

    def _squeezed(self, product: Tensor) -> Tensor:
        # in fp32: near the cap the steps of bf16 are coarser than the differences that matter
        return torch.tanh(self.of.bend(product).float() / self.cap)
