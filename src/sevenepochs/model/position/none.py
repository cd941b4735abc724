"""Nothing added at the input; the causal mask alone (or rope) tells order."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from sevenepochs.model.position import PositionConfig


@dataclass(frozen=True)
class NoPosition(PositionConfig):
    """The identity."""

    def build(self, block_size: int, d_model: int) -> nn.Module:
        return nn.Identity()
