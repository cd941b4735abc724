"""Each head's output times a sigmoid of the block's input, so that a head can be silent where it has nothing to say
(Qiu et al. 2025, "Gated attention for large language models", arXiv:2505.06708, the head-wise form).

B batch, T position, D model, H heads.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from sevenepochs.config import Config


@dataclass(frozen=True)
class HeadGate(Config, kind="head_gate"):
    """Slot `model.attention.gate`. Starts at one half, near enough: its matrix is drawn like every other."""

    def build(self, d_model: int, n_head: int) -> nn.Module:
        return SigmoidHeadGate(d_model, n_head)


class SigmoidHeadGate(nn.Module):
    def __init__(self, d_model: int, n_head: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d_model, n_head, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Factors of shape (B, H, T, 1)."""
        return self.linear(x_BTD).sigmoid().transpose(1, 2).unsqueeze(-1)
