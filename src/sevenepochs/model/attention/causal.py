"""Multi-head causal self-attention over the whole row (Vaswani et al. 2017, arXiv:1706.03762), as stock.

B batch, T position in the row, D model, H heads, K head dimension, S attended position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.model.attention import AttentionConfig
from sevenepochs.model.dropout import Dropout, check_rate
from sevenepochs.model.position.rope import Rope


@dataclass(frozen=True)
class Causal(AttentionConfig):
    """`dropout` falls on the attention probabilities; `rotary` rotates queries and keys (None: not at all)."""

    dropout: float = 0.1
    bias: bool = True
    rotary: Rope | None = None

    def __post_init__(self) -> None:
        check_rate("attention.dropout", self.dropout)

    def build(self, d_model: int, n_head: int, block_size: int) -> nn.Module:
        rotation = self.rotary.build(block_size, d_model // n_head) if self.rotary else nn.Identity()
        return CausalAttention(d_model, n_head, self.dropout, self.bias, rotation)


class CausalAttention(nn.Module):
    def __init__(self, d_model: int, n_head: int, dropout: float, bias: bool, rotation: nn.Module) -> None:
        super().__init__()
        self.n_head = n_head
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=bias)
        self.out = nn.Linear(d_model, d_model, bias=bias)
        self.rotation = rotation
        self.dropout = Dropout(dropout)

    def forward(self, x_BTD: Tensor) -> Tensor:
        B, T, D = x_BTD.shape
        q_BHTK, k_BHTK, v_BHTK = (
            part.view(B, T, self.n_head, -1).transpose(1, 2) for part in self.qkv(x_BTD).chunk(3, dim=-1)
        )
        q_BHTK, k_BHTK = self.rotation(q_BHTK), self.rotation(k_BHTK)
        if self.training:
            y_BHTK = self._attend_in_training(q_BHTK, k_BHTK, v_BHTK)
        else:
            y_BHTK = F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, is_causal=True)
        return self.out(y_BHTK.transpose(1, 2).reshape(B, T, D))

    def _attend_in_training(self, q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor) -> Tensor:
        # Written out because the fused kernels draw their own dropout masks. At rows of 128 it costs nothing: on a CPU
        # without AMX the fused kernel's backward took 2.0-2.5 s of a stock step against 0.5 s for this (docs/log.md).
        T = q_BHTK.shape[-2]
        scores_BHTS = (q_BHTK @ k_BHTK.transpose(-2, -1)).float() / math.sqrt(q_BHTK.shape[-1])
        future_TS = torch.ones(T, T, dtype=torch.bool, device=q_BHTK.device).triu(1)
        weights_BHTS = scores_BHTS.masked_fill(future_TS, float("-inf")).softmax(-1)
        return self.dropout(weights_BHTS).to(v_BHTK.dtype) @ v_BHTK
