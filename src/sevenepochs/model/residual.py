"""How the output of attention or MLP joins the residual stream.

B batch, T position, D model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sevenepochs.config import Config, check_range
from sevenepochs.model.dropout import Dropout, check_rate


class ResidualConfig(Config, ABC):
    """Slot `model.residual`."""

    @abstractmethod
    def build(self, d_model: int) -> nn.Module:
        """Return a module (x_BTD, y_BTD) -> x_BTD that adds a branch's output y (attention or MLP) to the stream."""


@dataclass(frozen=True)
class PreNorm(ResidualConfig, kind="pre_norm"):
    """x + dropout(y) with y = branch(norm(x)), GPT-2's pre-norm (Xiong et al. 2020, arXiv:2002.04745), as stock."""

    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_rate("residual.dropout", self.dropout)

    def build(self, d_model: int) -> nn.Module:
        return Residual(self.dropout)


@dataclass(frozen=True)
class LayerScale(ResidualConfig, kind="layer_scale"):
    """x + scale * dropout(y) with a learned scale per channel; a small `initial` one lets a deep model begin near the
    identity (Touvron et al. 2021, "Going deeper with image transformers", arXiv:2103.17239).
    """

    dropout: float = 0.1
    initial: float = 0.1

    def __post_init__(self) -> None:
        check_rate("residual.dropout", self.dropout)
        check_range("residual.initial", self.initial, -10.0, 10.0)

    def build(self, d_model: int) -> nn.Module:
        return Residual(self.dropout, torch.full((d_model,), self.initial))


class Residual(nn.Module):
    """x + scale * dropout(y); without a scale, x + dropout(y)."""

    def __init__(self, dropout: float, scale_D: Tensor | None = None) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.scale_D = None if scale_D is None else nn.Parameter(scale_D)

    def forward(self, x_BTD: Tensor, y_BTD: Tensor) -> Tensor:
        y_BTD = self.dropout(y_BTD)
        return x_BTD + (y_BTD if self.scale_D is None else self.scale_D * y_BTD)


@dataclass(frozen=True)
class StochasticDepth(ResidualConfig, kind="stochastic_depth"):
    """Training leaves out whole branches at random, row by row, at one rate `branch_dropout` for all layers (Huang et
    al. 2016, "Deep networks with stochastic depth", arXiv:1603.09382).

    Kept branches are scaled by 1 / (1 - rate), so that evaluation needs no correction. `of`: how they join the stream.
    """

    branch_dropout: float = 0.05
    of: ResidualConfig = field(default_factory=PreNorm)

    def __post_init__(self) -> None:
        check_rate("residual.branch_dropout", self.branch_dropout)

    def build(self, d_model: int) -> nn.Module:
        return SometimesResidual(self.of.build(d_model), self.branch_dropout)


class SometimesResidual(nn.Module):
    def __init__(self, of: nn.Module, rate: float) -> None:
        super().__init__()
        self.of = of
        self.keep = Dropout(rate)

    def forward(self, x_BTD: Tensor, y_BTD: Tensor) -> Tensor:
        joined_BTD = self.of(x_BTD, y_BTD)
        if not self.training:
            return joined_BTD
        kept_B11 = self.keep(x_BTD.new_ones(x_BTD.shape[0], 1, 1))  # 0, or 1 / (1 - rate)
        return x_BTD + kept_B11 * (joined_BTD - x_BTD)
