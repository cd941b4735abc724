"""Stochastic gradient descent, as stock: no momentum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from sevenepochs.config import check_range
from sevenepochs.learning.optim import OptimizerConfig


@dataclass(frozen=True)
class SGD(OptimizerConfig, kind="sgd"):
    lr: float = 6e-3
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_range("optimizer.lr", self.lr, 0.0, 1e3)
        check_range("optimizer.momentum", self.momentum, 0.0, 1.0, open_high=True)
        check_range("optimizer.weight_decay", self.weight_decay, 0.0, 1e3)

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            model.parameters(), lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay, fused=True
        )
