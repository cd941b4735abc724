"""Short cuts past blocks: what is added to the stream before a block runs."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from sevenepochs.config import Config


class SkipConfig(Config, ABC):
    """Slot `model.skip`."""

    @abstractmethod
    def build(self, n_layer: int, d_model: int) -> nn.Module:
        """A module (x_BTD, context) -> x_BTD, called before each block; `context.layer` says which."""
