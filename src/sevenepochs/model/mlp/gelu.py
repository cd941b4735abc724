"""Two matrices with an exact (erf) GELU between them (Hendrycks & Gimpel 2016, arXiv:1606.08415), as stock."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from sevenepochs.config import check_range
from sevenepochs.model.mlp import MLPConfig


@dataclass(frozen=True)
class Gelu(MLPConfig):
    """`expansion`: hidden width over d_model."""

    expansion: int = 4
    bias: bool = True

    def __post_init__(self) -> None:
        check_range("mlp.expansion", self.expansion, 1)

    def build(self, d_model: int) -> nn.Module:
        hidden = self.expansion * d_model
        return nn.Sequential(
            nn.Linear(d_model, hidden, bias=self.bias), nn.GELU(), nn.Linear(hidden, d_model, bias=self.bias)
        )
