"""x + dropout(branch(norm(x))): the pre-norm residual of GPT-2 (Xiong et al. 2020, arXiv:2002.04745), as stock."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from sevenepochs.model.context import Context
from sevenepochs.model.dropout import Dropout, check_rate
from sevenepochs.model.residual import ResidualConfig


@dataclass(frozen=True)
class PreNorm(ResidualConfig, kind="pre_norm"):
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
