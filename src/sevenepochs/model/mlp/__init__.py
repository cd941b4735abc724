"""The position-wise network of a block."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from sevenepochs.config import Config


class MLPConfig(Config, ABC):
    """Slot `model.mlp`."""

    @abstractmethod
    def build(self, d_model: int) -> nn.Module:
        """A module (x_BTD, context) -> x_BTD; the residual slot adds dropout after it."""
