"""Nothing added at the input; the causal mask alone (or rope) tells order."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from sevenepochs.model.context import Context
from sevenepochs.model.position import PositionConfig


@dataclass(frozen=True)
class NoPosition(PositionConfig, kind="none"):
    """The identity."""

    def build(self, block_size: int, d_model: int) -> nn.Module:
        return Nothing()


class Nothing(nn.Module):
    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        return x_BTD
