"""Each layer's values are mixed with the first layer's, by two learned numbers a layer (Zhou et al. 2024, "Value
residual learning", arXiv:2410.17897, the learnable form).

B batch, T position, H heads, K head dimension.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.config import Config, check_range
from sevenepochs.model.context import Context


@dataclass(frozen=True)
class ValueResidual(Config, kind="value_residual"):
    """Slot `model.attention.value_residual`. `first`: the first layer's initial share; the layer's own is the rest."""

    first: float = 0.5

    def __post_init__(self) -> None:
        check_range("value_residual.first", self.first, 0.0, 1.0)

    def build(self) -> nn.Module:
        return ValueMix(self.first)


class ValueMix(nn.Module):
    def __init__(self, first: float) -> None:
        super().__init__()
        self.share_2 = nn.Parameter(torch.tensor([1.0 - first, first]))  # own, first

    def forward(self, v_BHTK: Tensor, context: Context) -> Tensor:
        first_BHTK = context.shared.setdefault("first_values", v_BHTK)  # in the first layer: itself
        own, first = self.share_2.to(v_BHTK.dtype)
        return own * v_BHTK + first * first_BHTK
