"""RMSNorm: divide by the root mean square, times a gain; no mean, no bias (Zhang & Sennrich 2019, arXiv:1910.07467)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.config import check_range
from sevenepochs.model.norm import NormConfig


@dataclass(frozen=True)
class RMSNorm(NormConfig, kind="rms_norm"):
    eps: float = 1e-6

    def __post_init__(self) -> None:
        check_range("norm.eps", self.eps, 1e-12, 1.0)

    def build(self, d_model: int) -> nn.Module:
        return RootMeanSquareNorm(d_model, self.eps)


class RootMeanSquareNorm(nn.Module):
    def __init__(self, d_model: int, eps: float) -> None:
        super().__init__()
        self.weight_D = nn.Parameter(torch.ones(d_model))
        self.eps = eps

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_BTD = x_BTD.float()  # statistics in fp32 whatever the trunk's precision
        return x_BTD * torch.rsqrt(x_BTD.square().mean(-1, keepdim=True) + self.eps) * self.weight_D
