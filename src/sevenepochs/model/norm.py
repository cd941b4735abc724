"""Normalisation over the model dimension."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.config import Config, check_range


class NormConfig(Config, ABC):
    """Slot `model.norm`."""

    @abstractmethod
    def build(self, d_model: int) -> nn.Module:
        """Return a module x_BTD -> x_BTD."""


@dataclass(frozen=True)
class LayerNorm(NormConfig, kind="layer_norm"):
    """LayerNorm with gain and bias (Ba et al. 2016, arXiv:1607.06450), as stock."""

    eps: float = 1e-5

    def __post_init__(self) -> None:
        check_range("norm.eps", self.eps, 1e-12, 1.0)

    def build(self, d_model: int) -> nn.Module:
        return nn.LayerNorm(d_model, eps=self.eps)


@dataclass(frozen=True)
class RMSNorm(NormConfig, kind="rms_norm"):
    """Divide by the root mean square, times a gain; no mean, no bias (Zhang & Sennrich 2019, arXiv:1910.07467)."""

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
