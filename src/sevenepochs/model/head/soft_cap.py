"""Logits squeezed into (-cap, cap) by cap tanh(logits / cap), so that no token can be made arbitrarily certain (Gemma
Team 2024, arXiv:2408.00118; Bello et al. 2016, arXiv:1611.09940)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sevenepochs.config import check_range
from sevenepochs.errors import UserError
from sevenepochs.model.embedding import Embedding
from sevenepochs.model.head import HeadConfig, LinearHead
from sevenepochs.model.head.tied import Tied


@dataclass(frozen=True)
class SoftCap(HeadConfig, kind="soft_cap"):
    """`of`: the head whose logits are capped."""

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
