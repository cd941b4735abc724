"""Where a token stands: vectors added at the input (learned, none), or rotations inside attention (rope)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from sevenepochs.config import Config


class PositionConfig(Config, ABC):
    """Slot `model.position`."""

    @abstractmethod
    def build(self, block_size: int, d_model: int) -> nn.Module:
        """A module (x_BTD, context) -> x_BTD for rows of up to `block_size`."""
