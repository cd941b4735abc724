"""How positions of a row exchange information. Every entry is causal."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from sevenepochs.config import Config


class AttentionConfig(Config, ABC):
    """Slot `model.attention`."""

    @abstractmethod
    def build(self, d_model: int, n_head: int, block_size: int) -> nn.Module:
        """A module (x_BTD, context) -> x_BTD for rows of up to `block_size`."""
