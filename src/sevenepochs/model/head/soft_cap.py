"""Logits squeezed into (-cap, cap) by cap tanh(logits / cap), so that no token can be made arbitrarily certain (Gemma
Team 2024, arXiv:2408.00118; Bello et al. 2016, arXiv:1611.09940)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sevenepochs.config import check_range
from sevenepochs.model.head import HeadConfig
from sevenepochs.model.head.tied import Tied


@dataclass(frozen=True)
class SoftCap(HeadConfig):
    """`of`: the head whose logits are capped."""

    cap: float = 15.0
    of: HeadConfig = field(default_factory=Tied)

    def __post_init__(self) -> None:
        check_range("head.cap", self.cap, 1e-3, 1e6)

    def build(self, embedding: nn.Embedding) -> nn.Module:
        return CappedHead(self.of.build(embedding), self.cap)


class CappedHead(nn.Module):
    def __init__(self, head: nn.Module, cap: float) -> None:
        super().__init__()
        self.of = head
        self.cap = cap

    def forward(self, h_BTD: Tensor) -> Tensor:
        # in fp32: near the cap the steps of bf16 are coarser than the differences that matter
        return self.cap * torch.tanh(self.of(h_BTD).float() / self.cap)
