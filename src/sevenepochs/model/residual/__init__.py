"""How a branch (attention or MLP) joins the residual stream."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from sevenepochs.config import Config


class ResidualConfig(Config, ABC):
    """Slot `model.residual`."""

    @abstractmethod
    def build(self, norm: nn.Module, branch: nn.Module, d_model: int) -> nn.Module:
        """A module (x_BTD, context) -> x_BTD that holds the norm and the branch; the branch takes the context too."""
