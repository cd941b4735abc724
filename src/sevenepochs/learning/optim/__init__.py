"""Optimizers: torch's SGD and AdamW here, Muon in muon.py."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.config import Config, check_range


class OptimizerConfig(Config, ABC):
    """Slot `optimizer`. Learning rates are peaks; the schedule multiplies them."""

    @abstractmethod
    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return an optimizer over the model's trainable parameters, each in exactly one group."""

    def update_flop(self, model: nn.Module) -> float:
        """Return the FLOPs of one update's matrix products."""
        return 0.0


@dataclass(frozen=True)
class SGD(OptimizerConfig, kind="sgd"):
    """Stochastic gradient descent, as stock: no momentum."""

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


@dataclass(frozen=True)
class AdamW(OptimizerConfig, kind="adamw"):
    """Adam with decoupled weight decay on every parameter: p -= lr * weight_decay * p, before the Adam step
    (Loshchilov & Hutter 2017, arXiv:1711.05101)."""

    lr: float = 5e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_range("optimizer.lr", self.lr, 0.0, 1e3)
        check_range("optimizer.beta1", self.beta1, 0.0, 1.0, open_high=True)
        check_range("optimizer.beta2", self.beta2, 0.0, 1.0, open_high=True)
        check_range("optimizer.eps", self.eps, 0.0, 1.0)
        check_range("optimizer.weight_decay", self.weight_decay, 0.0, 1e3)

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        return self.build_for(model.parameters())

    def build_for(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """Return an optimizer over these parameters only, for optimizers that leave a part to AdamW."""
        return torch.optim.AdamW(
            parameters,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=True,
        )
