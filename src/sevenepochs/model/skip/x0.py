"""The embedding is mixed back in before every block: x = a_l x + b_l x0 with learned numbers (modded-nanogpt's and
nanochat's x0 lambdas, after Keller Jordan et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.config import check_range
from sevenepochs.model.context import Context
from sevenepochs.model.skip import SkipConfig


@dataclass(frozen=True)
class X0(SkipConfig, kind="x0"):
    """`initial`: b of every layer at the start; a starts at 1."""

    initial: float = 0.1

    def __post_init__(self) -> None:
        check_range("skip.initial", self.initial, -10.0, 10.0)

    def build(self, n_layer: int, d_model: int) -> nn.Module:
        return EmbeddingSkip(n_layer, self.initial)


class EmbeddingSkip(nn.Module):
    def __init__(self, n_layer: int, initial: float) -> None:
        super().__init__()
        self.stream_L = nn.Parameter(torch.ones(n_layer))
        self.embedding_L = nn.Parameter(torch.full((n_layer,), initial))

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        x0_BTD = context.shared.setdefault("x0", x_BTD)  # before the first block the stream is the embedding
        return self.stream_L[context.layer] * x_BTD + self.embedding_L[context.layer] * x0_BTD
