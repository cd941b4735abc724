"""silu(gate) * value between the two matrices (Shazeer 2020, "GLU variants improve transformer", arXiv:2002.05202)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.config import check_range
from sevenepochs.model.dropout import check_rate
from sevenepochs.model.mlp import MLPConfig
from sevenepochs.model.mlp.two_matrices import TwoMatrices


@dataclass(frozen=True)
class SwiGLU(MLPConfig, kind="swiglu"):
    """`expansion`: hidden width over d_model, rounded up to a multiple of `multiple_of`; 8/3 has the parameters of a
    plain network of 4."""

    expansion: float = 8 / 3
    multiple_of: int = 64
    bias: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_range("mlp.expansion", self.expansion, 1e-3)
        check_range("mlp.multiple_of", self.multiple_of, 1)
        check_rate("mlp.dropout", self.dropout)

    def build(self, d_model: int) -> nn.Module:
        d_hidden = -(-int(self.expansion * d_model) // self.multiple_of) * self.multiple_of
        return TwoMatrices(d_model, d_hidden, GatedSilu(), self.bias, self.dropout, widening=2)


class GatedSilu(nn.Module):
    """The first half of the last dimension gates the second."""

    def forward(self, x: Tensor) -> Tensor:
        gate, value = x.chunk(2, dim=-1)
        return F.silu(gate) * value
