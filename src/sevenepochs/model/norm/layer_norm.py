"""LayerNorm with gain and bias (Ba et al. 2016, arXiv:1607.06450), as stock."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from sevenepochs.config import check_range
from sevenepochs.model.norm import NormConfig


@dataclass(frozen=True)
class LayerNorm(NormConfig, kind="layer_norm"):
    eps: float = 1e-5

    def __post_init__(self) -> None:
        check_range("norm.eps", self.eps, 1e-12, 1.0)

    def build(self, d_model: int) -> nn.Module:
        return nn.LayerNorm(d_model, eps=self.eps)
