"""U-Net skips: the second half's blocks also get what the mirrored block of the first half put out, times learned
weights a channel (Ronneberger et al. 2015, arXiv:1505.04597; in language models: Bao et al. 2022, arXiv:2209.12152,
and modded-nanogpt)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.config import check_range
from sevenepochs.errors import UserError
from sevenepochs.model.context import Context
from sevenepochs.model.skip import SkipConfig


@dataclass(frozen=True)
class UNet(SkipConfig, kind="u_net"):
    """`initial`: the weights at the start. Layer n-1-i gets the output of layer i, for i below n // 2."""

    initial: float = 0.0

    def __post_init__(self) -> None:
        check_range("skip.initial", self.initial, -10.0, 10.0)

    def build(self, n_layer: int, d_model: int) -> nn.Module:
        if n_layer < 2:
            raise UserError("model.skip: U-Net skips need model.n_layer >= 2")
        return MirroredSkips(n_layer, d_model, self.initial)


class MirroredSkips(nn.Module):
    def __init__(self, n_layer: int, d_model: int, initial: float) -> None:
        super().__init__()
        self.n_layer = n_layer
        self.weight_SD = nn.Parameter(torch.full((n_layer // 2, d_model), initial))

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        layer, n_skips = context.layer, self.weight_SD.shape[0]
        if 1 <= layer <= n_skips:
            context.shared[f"u_net output {layer - 1}"] = x_BTD
        mirrored = self.n_layer - 1 - layer
        if mirrored >= n_skips:
            return x_BTD
        return x_BTD + self.weight_SD[mirrored] * context.shared[f"u_net output {mirrored}"]
