"""The position-wise network of a block.

B batch, T position, D model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.config import Config, check_range
from sevenepochs.model.context import Context
from sevenepochs.model.dropout import Dropout, check_rate
from sevenepochs.model.init import writes_to_stream


class MLPConfig(Config, ABC):
    """Slot `model.mlp`."""

    @abstractmethod
    def build(self, d_model: int) -> nn.Module:
        """Return a module (x_BTD, context) -> x_BTD; the residual slot adds dropout after it."""


class TwoMatrices(nn.Module):
    """down(dropout(activation(up(x))))."""

    def __init__(self, d_model: int, d_hidden: int, activation: nn.Module, bias: bool, dropout: float) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden, bias=bias)
        self.activation = activation
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.down = writes_to_stream(nn.Linear(d_hidden, d_model, bias=bias))

    def forward(self, x_BTD: Tensor, context: Context | None = None) -> Tensor:
        return self.down(self.dropout(self.activation(self.up(x_BTD))))


@dataclass(frozen=True)
class Gelu(MLPConfig, kind="gelu"):
    """An exact (erf) GELU between two matrices (Hendrycks & Gimpel 2016, arXiv:1606.08415), as stock.

    `expansion`: hidden width over d_model. `dropout`: on the hidden activations.
    """

    expansion: int = 4
    bias: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_range("mlp.expansion", self.expansion, 1)
        check_rate("mlp.dropout", self.dropout)

    def build(self, d_model: int) -> nn.Module:
        return TwoMatrices(d_model, self.expansion * d_model, nn.GELU(), self.bias, self.dropout)


@dataclass(frozen=True)
class ReluSquared(MLPConfig, kind="relu_squared"):
    """relu(x) squared between two matrices (So et al. 2021, "Primer", arXiv:2109.08668).

    `expansion`: hidden width over d_model. `dropout`: on the hidden activations.
    """

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
