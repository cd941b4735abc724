"""Two matrices with an exact (erf) GELU between them (Hendrycks & Gimpel 2016, arXiv:1606.08415), as stock."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from sevenepochs.config import check_range
from sevenepochs.model.dropout import check_rate
from sevenepochs.model.mlp import MLPConfig
from sevenepochs.model.mlp.two_matrices import TwoMatrices


@dataclass(frozen=True)
class Gelu(MLPConfig, kind="gelu"):
    """`expansion`: hidden width over d_model. `dropout`: on the hidden activations; stock has none there."""

    expansion: int = 4
    bias: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_range("mlp.expansion", self.expansion, 1)
        check_rate("mlp.dropout", self.dropout)

    def build(self, d_model: int) -> nn.Module:
        return TwoMatrices(d_model, self.expansion * d_model, nn.GELU(), self.bias, self.dropout)
