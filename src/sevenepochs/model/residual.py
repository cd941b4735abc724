"""How a branch (attention or MLP) joins the residual stream.

B batch, T position, D model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sevenepochs.config import Config, check_range
from sevenepochs.model.context import Context
from sevenepochs.model.dropout import Dropout, check_rate


class ResidualConfig(Config, ABC):
    """Slot `model.residual`."""

    @abstractmethod
    def build(self, norm: nn.Module, branch: nn.Module, d_model: int) -> nn.Module:
        """A module (x_BTD, context) -> x_BTD that holds the norm and the branch; the branch takes the context too."""


@dataclass(frozen=True)
class PreNorm(ResidualConfig, kind="pre_norm"):
    """x + dropout(branch(norm(x))): the pre-norm residual of GPT-2 (Xiong et al. 2020, arXiv:2002.04745), as stock."""

    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_rate("residual.dropout", self.dropout)

    def build(self, norm: nn.Module, branch: nn.Module, d_model: int) -> nn.Module:
        return PreNormResidual(norm, branch, self.dropout)


class PreNormResidual(nn.Module):
    def __init__(self, norm: nn.Module, branch: nn.Module, dropout: float) -> None:
        super().__init__()
        self.norm = norm
        self.branch = branch
        self.dropout = Dropout(dropout)

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        return x_BTD + self.dropout(self.branch(self.norm(x_BTD), context))


@dataclass(frozen=True)
class LayerScale(ResidualConfig, kind="layer_scale"):
    """x + scale * dropout(branch(norm(x))) with a learned scale per channel that starts small, so that a deep model
    begins near the identity (Touvron et al. 2021, "Going deeper with image transformers", arXiv:2103.17239).

    `initial`: every channel's scale at the start.
    """

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


@dataclass(frozen=True)
class StochasticDepth(ResidualConfig, kind="stochastic_depth"):
    """Whole branches left out at random in training, row by row (Huang et al. 2016, "Deep networks with stochastic
    depth", arXiv:1603.09382; at one rate for all layers).

    `branch_dropout`: the share of branches left out. `of`: how a branch that stays joins the stream. Kept branches are
    scaled by 1 / (1 - rate), so that evaluation needs no correction.
    """

    branch_dropout: float = 0.05
    of: ResidualConfig = field(default_factory=PreNorm)

    def __post_init__(self) -> None:
        check_rate("residual.branch_dropout", self.branch_dropout)

    def build(self, norm: nn.Module, branch: nn.Module, d_model: int) -> nn.Module:
        return SometimesResidual(self.of.build(norm, branch, d_model), self.branch_dropout)


class SometimesResidual(nn.Module):
    def __init__(self, join: nn.Module, rate: float) -> None:
        super().__init__()
        self.join = join
        self.keep = Dropout(rate)

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        joined_BTD = self.join(x_BTD, context)
        if not self.training:
            return joined_BTD
        kept_B11 = self.keep(x_BTD.new_ones(x_BTD.shape[0], 1, 1))  # 0, or 1 / (1 - rate)
        return x_BTD + kept_B11 * (joined_BTD - x_BTD)
