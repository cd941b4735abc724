"""Whole branches left out at random in training, row by row (Huang et al. 2016, "Deep networks with stochastic depth",
arXiv:1603.09382; at one rate for all layers)."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from sevenepochs.model.context import Context
from sevenepochs.model.dropout import Dropout, check_rate
from sevenepochs.model.residual import ResidualConfig
from sevenepochs.model.residual.pre_norm import PreNorm


@dataclass(frozen=True)
class StochasticDepth(ResidualConfig, kind="stochastic_depth"):
    """`branch_dropout`: the share of branches left out. `of`: how a branch that stays joins the stream.

    Kept branches are scaled by 1 / (1 - rate), so that evaluation needs no correction.
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
