"""Rotary position embedding (Su et al. 2021, arXiv:2104.09864): queries and keys are rotated by an angle that grows
with the position in the row, so that their product depends on the distance alone. Halves are rotated (GPT-NeoX's
layout)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.config import Config, check_range
from sevenepochs.errors import UserError
from sevenepochs.model.context import Context


@dataclass(frozen=True)
class Rope(Config, kind="rope"):
    """Slot `model.attention.rotary`. `base`: the longest wavelength is about 2 pi base positions."""

    base: float = 10_000.0

    def __post_init__(self) -> None:
        check_range("rotary.base", self.base, 1.0)

    def build(self, block_size: int, head_dim: int) -> nn.Module:
        if head_dim % 2:
            raise UserError(f"rope rotates halves of a head, so d_model / n_head must be even, not {head_dim}")
        return Rotation(block_size, head_dim, self.base)


class Rotation(nn.Module):
    """x_BHTK -> x_BHTK with each position's halves rotated. K = head dimension."""

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
        if cos.dim() == 3:  # positions of their own in each row: (B, T, K), one for all heads
            cos, sin = cos[:, None], sin[:, None]
        first, second = x_BHTK.float().chunk(2, dim=-1)
        rotated = x_BHTK.float() * cos + torch.cat((-second, first), dim=-1) * sin
        return rotated.to(x_BHTK.dtype)
