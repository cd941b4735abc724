"""relu(x) squared between the two matrices (So et al. 2021, "Primer", arXiv:2109.08668)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.config import check_range
from sevenepochs.model.dropout import check_rate
from sevenepochs.model.mlp import MLPConfig
from sevenepochs.model.mlp.two_matrices import TwoMatrices


@dataclass(frozen=True)
class ReluSquared(MLPConfig, kind="relu_squared"):
    """`expansion`: hidden width over d_model. `dropout`: on the hidden activations."""

    expansion: int = 4
    bias: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_range("mlp.expansion", self.expansion, 1)
        check_rate("mlp.dropout", self.dropout)

    def build(self, d_model: int) -> nn.Module:
        return TwoMatrices(d_model, self.expansion * d_model, SquaredRelu(), self.bias, self.dropout)


class SquaredRelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).square()
