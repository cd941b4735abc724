"""What happens to the stream before a block runs: short cuts past blocks add vectors, input dropout takes some away.

B batch, T position, D model, L layers, S skips.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.config import Config, check_range
from sevenepochs.errors import UserError
from sevenepochs.model.context import Context
from sevenepochs.model.dropout import Dropout, check_rate


class SkipConfig(Config, ABC):
    """Slot `model.skip`."""

    @abstractmethod
    def build(self, n_layer: int, d_model: int) -> nn.Module:
        """Return a module (x_BTD, context) -> x_BTD, called before each block (`context.layer`)."""


@dataclass(frozen=True)
class UNet(SkipConfig, kind="u_net"):
    """U-Net skips: layer n-1-i also gets the output of layer i, for i below n // 2, times learned weights per channel
    that start at `initial` (Ronneberger et al. 2015, arXiv:1505.04597; in transformers: Bao et al. 2022,
    arXiv:2209.12152, and modded-nanogpt).
    """

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


@dataclass(frozen=True)
class X0(SkipConfig, kind="x0"):
    """The embedding is mixed in before every block: x = a_l x + b_l x0 with learned numbers, a = 1 and b = `initial` at
    the start (x0 lambdas of modded-nanogpt and nanochat, after Keller Jordan et al. 2024).
    """

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


@dataclass(frozen=True)
class InputDropout(SkipConfig, kind="input_dropout"):
    """Training leaves out whole input vectors at random: such a token is not read, and still predicted (after Gal &
    Ghahramani 2016, arXiv:1512.05287, who leave out words). Kept vectors are scaled by 1 / (1 - rate).
    """

    rate: float = 0.1

    def __post_init__(self) -> None:
        check_rate("skip.rate", self.rate)

    def build(self, n_layer: int, d_model: int) -> nn.Module:
        return VectorDropout(self.rate)


class VectorDropout(nn.Module):
    def __init__(self, rate: float) -> None:
        super().__init__()
        self.keep = Dropout(rate)

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        if context.layer > 0 or not self.training:
            return x_BTD
        return x_BTD * self.keep(x_BTD.new_ones(*x_BTD.shape[:2], 1))
