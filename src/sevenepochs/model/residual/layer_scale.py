"""x + scale * dropout(branch(norm(x))) with a learned scale a channel that starts small, so that a deep model begins
near the identity (Touvron et al. 2021, "Going deeper with image transformers", arXiv:2103.17239)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.config import check_range
from sevenepochs.model.context import Context
from sevenepochs.model.dropout import Dropout, check_rate
from sevenepochs.model.residual import ResidualConfig


@dataclass(frozen=True)
class LayerScale(ResidualConfig, kind="layer_scale"):
    """`initial`: every channel's scale at the start."""

    dropout: float = 0.1
    initial: float = 0.1

    def __post_init__(self) -> None:
        check_rate("residual.dropout", self.dropout)
        check_range("residual.initial", self.initial, -10.0, 10.0)

    def build(self, norm: nn.Module, branch: nn.Module, d_model: int) -> nn.Module:
        return ScaledResidual(norm, branch, self.dropout, self.initial, d_model)


class ScaledResidual(nn.Module):
    def __init__(self, norm: nn.Module, branch: nn.Module, dropout: float, initial: float, d_model: int) -> None:
        super().__init__()
        self.norm = norm
        self.branch = branch
        self.dropout = Dropout(dropout)
        self.scale_D = nn.Parameter(torch.full((d_model,), initial))

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        return x_BTD + self.scale_D * self.dropout(self.branch(self.norm(x_BTD), context))
