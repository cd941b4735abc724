"""Queries and keys of length sqrt(K), times a learned gain a head, so that attention cannot saturate by their growth
(Henry et al. 2020, arXiv:2010.04245; as RMS norm in Dehghani et al. 2023, arXiv:2302.05442).

B batch, T position, H heads, K head dimension.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sevenepochs.config import Config, check_range


@dataclass(frozen=True)
class QKNorm(Config, kind="qk_norm"):
    """Slot `model.attention.qk_norm`. `gain`: the queries' initial gain, learned for each head."""

    gain: float = 1.0
    eps: float = 1e-6

    def __post_init__(self) -> None:
        check_range("qk_norm.gain", self.gain, 1e-3, 1e3)
        check_range("qk_norm.eps", self.eps, 1e-12, 1.0)

    def build(self, n_head: int) -> nn.Module:
        return QueryKeyNorm(n_head, self.gain, self.eps)


class QueryKeyNorm(nn.Module):
    def __init__(self, n_head: int, gain: float, eps: float) -> None:
        super().__init__()
        self.gain_H = nn.Parameter(torch.full((n_head,), gain))
        self.eps = eps

    def forward(self, q_BHTK: Tensor, k_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        return self._unit(q_BHTK) * self.gain_H.to(q_BHTK.dtype)[:, None, None], self._unit(k_BHTK)

    def _unit(self, x_BHTK: Tensor) -> Tensor:
        wide = x_BHTK.float()  # statistics in fp32 whatever the precision
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)).to(x_BHTK.dtype)
