"""How positions of a row exchange information: causal self-attention and its slots.

B batch, T position of this call, S attended position, D model, H heads, K head dimension.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.config import Config, check_range
from sevenepochs.model.context import Context
from sevenepochs.model.dropout import Dropout, check_rate
from sevenepochs.model.init import writes_to_stream
from sevenepochs.model.position import Rope


class AttentionConfig(Config, ABC):
    """Slot `model.attention`."""

    @abstractmethod
    def build(self, d_model: int, n_head: int, block_size: int) -> nn.Module:
        """Return a module (x_BTD, context) -> x_BTD for rows of up to `block_size`."""


@dataclass(frozen=True)
class ValueResidual(Config, kind="value_residual"):
    """Slot `model.attention.value_residual`: each layer's values are mixed with the first layer's by two learned
    numbers per layer (Zhou et al. 2024, "Value residual learning", arXiv:2410.17897). `first`: the first layer's
    initial share.
    """

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


@dataclass(frozen=True)
class HeadGate(Config, kind="head_gate"):
    """Slot `model.attention.gate`: each head's output times a sigmoid of the block's input, near one half at the start
    (Qiu et al. 2025, "Gated attention for large language models", arXiv:2505.06708, the head-wise form). A head that
    found nothing can be silent.
    """

    def build(self, d_model: int, n_head: int) -> nn.Module:
        return SigmoidHeadGate(d_model, n_head)


class SigmoidHeadGate(nn.Module):
    def __init__(self, d_model: int, n_head: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d_model, n_head, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return factors of shape (B, H, T, 1)."""
        return self.linear(x_BTD).sigmoid().transpose(1, 2).unsqueeze(-1)


@dataclass(frozen=True)
class Causal(AttentionConfig, kind="causal"):
    """Multi-head causal self-attention over the whole row (Vaswani et al. 2017, arXiv:1706.03762), as stock.

    `dropout` falls on the attention probabilities. An inner slot that is None, as stock, does nothing.
    """

    dropout: float = 0.1
    bias: bool = True
    rotary: Rope | None = None
    value_residual: ValueResidual | None = None
    gate: HeadGate | None = None

    def __post_init__(self) -> None:
        check_rate("attention.dropout", self.dropout)

    def build(self, d_model: int, n_head: int, block_size: int) -> nn.Module:
        return CausalAttention(self, d_model, n_head, block_size)


class CausalAttention(nn.Module):
    def __init__(self, config: Causal, d_model: int, n_head: int, block_size: int) -> None:
        super().__init__()
        c, head_dim = config, d_model // n_head
        self.n_head = n_head
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=c.bias)
        self.out = writes_to_stream(nn.Linear(d_model, d_model, bias=c.bias))
        self.rotation = c.rotary.build(block_size, head_dim) if c.rotary else None
        self.value_residual = c.value_residual.build() if c.value_residual else None
        self.gate = c.gate.build(d_model, n_head) if c.gate else None
        self.dropout = Dropout(c.dropout)

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        B, T, D = x_BTD.shape
        q_BHTK, k_BHTK, v_BHTK = (
            part.view(B, T, self.n_head, -1).transpose(1, 2) for part in self.qkv(x_BTD).chunk(3, dim=-1)
        )
        if self.rotation is not None:
            q_BHTK, k_BHTK = self.rotation(q_BHTK, context), self.rotation(k_BHTK, context)
        if self.value_residual is not None:
            v_BHTK = self.value_residual(v_BHTK, context)
        k_BHSK = context.remember("keys", k_BHTK, dim=-2)
        v_BHSK = context.remember("values", v_BHTK, dim=-2)
        if context.trace is not None or (self.training and self._needs_own_training_path(x_BTD)):
            y_BHTK = self._attend_written_out(q_BHTK, k_BHSK, v_BHSK, context)
        elif context.is_plain:
            y_BHTK = F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, is_causal=True)
        else:
            seen_B1TS = ~context.hidden_from(T, x_BTD.device)
            y_BHTK = F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, attn_mask=seen_B1TS)
        if self.gate is not None:
            y_BHTK = y_BHTK * self.gate(x_BTD)
        return self.out(y_BHTK.transpose(1, 2).reshape(B, T, D))

    def _needs_own_training_path(self, x_BTD: Tensor) -> bool:
        # The fused kernels draw their own dropout masks, which could not be replayed. On a CPU without AMX the fused
        # backward also took 2.0-2.5 s of a stock step against 0.5 s for the written-out form (docs/log).
        return self.dropout.p > 0.0 or x_BTD.device.type == "cpu"

    def _attend_written_out(self, q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, context: Context) -> Tensor:
        scores_BHTS = (q_BHTK @ k_BHSK.transpose(-2, -1)).float() / math.sqrt(q_BHTK.shape[-1])
        hidden_B1TS = context.hidden_from(q_BHTK.shape[-2], q_BHTK.device)
        weights_BHTS = scores_BHTS.masked_fill(hidden_B1TS, float("-inf")).softmax(-1)
        if context.trace is not None:
            context.trace.attention_BHTS.append(weights_BHTS.detach())
        return self.dropout(weights_BHTS).to(v_BHSK.dtype) @ v_BHSK
