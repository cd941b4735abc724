"""Positions of tokens: vectors added at the input (learned, none), or rotations inside attention (rope).

B batch, T position of this call, D model, H heads, K head dimension.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.config import Config, check_range
from sevenepochs.errors import UserError
from sevenepochs.model.context import Context


class PositionConfig(Config, ABC):
    """Slot `model.position`."""

    @abstractmethod
    def build(self, block_size: int, d_model: int) -> nn.Module:
        """Return a module (x_BTD, context) -> x_BTD for rows of up to `block_size`."""


@dataclass(frozen=True)
class Learned(PositionConfig, kind="learned"):
    """A vector per position, learned from zero and added to the token's, as stock (Vaswani et al. 2017)."""

    def build(self, block_size: int, d_model: int) -> nn.Module:
        return LearnedPositions(block_size, d_model)


class LearnedPositions(nn.Module):
    def __init__(self, block_size: int, d_model: int) -> None:
        super().__init__()
        self.weight_TD = nn.Parameter(torch.zeros(block_size, d_model))

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        return x_BTD + context.at_positions(self.weight_TD, x_BTD.shape[1])


@dataclass(frozen=True)
class NoPosition(PositionConfig, kind="none"):
    """The input has no positions; order shows in the causal mask alone, or in rope."""

    def build(self, block_size: int, d_model: int) -> nn.Module:
        return Nothing()


class Nothing(nn.Module):
    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        return x_BTD


@dataclass(frozen=True)
class Rope(Config, kind="rope"):
    """Slot `model.attention.rotary`: rotary position embedding (Su et al. 2021, arXiv:2104.09864), halves rotated as in
    GPT-NeoX. Angles grow with the position, so the product of query and key depends on their distance alone.

    `base`: the longest wavelength is about 2 pi base positions.
    """

    base: float = 10_000.0

    def __post_init__(self) -> None:
        check_range("rotary.base", self.base, 1.0)

    def build(self, block_size: int, head_dim: int) -> nn.Module:
        if head_dim % 2:
            raise UserError(f"rope rotates halves of a head, so d_model / n_head must be even, not {head_dim}")
        return Rotation(block_size, head_dim, self.base)


class Rotation(nn.Module):
    """(x_BHTK, context) -> x_BHTK with each position's halves rotated."""

    cos_TK: Tensor
    sin_TK: Tensor

    def __init__(self, block_size: int, head_dim: int, base: float) -> None:
        super().__init__()
        frequencies_K2 = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
        angles_TK2 = torch.arange(block_size, dtype=torch.float64)[:, None] * frequencies_K2
        angles_TK = torch.cat((angles_TK2, angles_TK2), dim=-1)
        self.register_buffer("cos_TK", angles_TK.cos().float(), persistent=False)
        self.register_buffer("sin_TK", angles_TK.sin().float(), persistent=False)

    def forward(self, x_BHTK: Tensor, context: Context) -> Tensor:
        cos, sin = (context.at_positions(table_TK, x_BHTK.shape[-2]) for table_TK in (self.cos_TK, self.sin_TK))
        first, second = x_BHTK.float().chunk(2, dim=-1)
        rotated = x_BHTK.float() * cos + torch.cat((-second, first), dim=-1) * sin
        return rotated.to(x_BHTK.dtype)
