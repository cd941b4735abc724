"""A learned vector for each position of the row, added to the token embedding (Vaswani et al. 2017,
arXiv:1706.03762)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.model.context import Context
from sevenepochs.model.position import PositionConfig


@dataclass(frozen=True)
class Learned(PositionConfig, kind="learned"):
    """Zero-initialised position vectors, as stock."""

    def build(self, block_size: int, d_model: int) -> nn.Module:
        return LearnedPositions(block_size, d_model)


class LearnedPositions(nn.Module):
    def __init__(self, block_size: int, d_model: int) -> None:
        super().__init__()
        self.weight_TD = nn.Parameter(torch.zeros(block_size, d_model))

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        return x_BTD + context.at_positions(self.weight_TD, x_BTD.shape[1])
