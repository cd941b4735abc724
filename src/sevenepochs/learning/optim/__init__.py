"""Optimizers: one file each, config and construction together."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from sevenepochs.config import Config


class OptimizerConfig(Config, ABC):
    """Slot `optimizer`. Learning rates are peaks; the schedule multiplies them."""

    @abstractmethod
    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """An optimizer over every trainable parameter of the model, each in exactly one group."""

    def update_flop(self, model: nn.Module) -> float:
        """Floating-point operations of one update that are matrix products: what makes it more than a moment."""
        return 0.0
