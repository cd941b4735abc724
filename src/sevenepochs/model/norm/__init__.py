"""Normalisation over the model dimension."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from sevenepochs.config import Config


class NormConfig(Config, ABC):
    """Slot `model.norm`."""

    @abstractmethod
    def build(self, d_model: int) -> nn.Module:
        """A module x_BTD -> x_BTD."""
