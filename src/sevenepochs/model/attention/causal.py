"""Multi-head causal self-attention over the whole row (Vaswani et al. 2017, arXiv:1706.03762), as stock, with slots for
what is done to its queries, keys, values and outputs.

B batch, T position of this call, S attended position, D model, H heads, K head dimension.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.model.attention import AttentionConfig
from sevenepochs.model.attention.output_gate import HeadGate
from sevenepochs.model.attention.qk_norm import QKNorm
from sevenepochs.model.attention.value_residual import ValueResidual
from sevenepochs.model.context import Context
from sevenepochs.model.dropout import Dropout, check_rate
from sevenepochs.model.init import writes_to_stream
from sevenepochs.model.position.rope import Rope


@dataclass(frozen=True)
class Causal(AttentionConfig, kind="causal"):
    """`dropout` falls on the attention probabilities; the other slots are None for not at all, as stock.

    `qk_norm` comes before `rotary`; `value_residual` mixes the first layer's values in; `gate` scales each head's
    output.
    """

    dropout: float = 0.1
    bias: bool = True
    rotary: Rope | None = None
    qk_norm: QKNorm | None = None
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
        self.qk_norm = c.qk_norm.build(n_head) if c.qk_norm else None
        self.value_residual = c.value_residual.build() if c.value_residual else None
        self.gate = c.gate.build(d_model, n_head) if c.gate else None
        self.dropout = Dropout(c.dropout)

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        B, T, D = x_BTD.shape
        q_BHTK, k_BHTK, v_BHTK = (
            part.view(B, T, self.n_head, -1).transpose(1, 2) for part in self.qkv(x_BTD).chunk(3, dim=-1)
        )
        if self.qk_norm is not None:
            q_BHTK, k_BHTK = self.qk_norm(q_BHTK, k_BHTK)
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
