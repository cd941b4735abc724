"""One layer of the model: attention, then the MLP, each on the normalised stream and joined to it by the residual slot.

B batch, T position, D model.
"""

from __future__ import annotations

from torch import Tensor, nn

from sevenepochs.model.context import Context
from sevenepochs.model.norm import NormConfig
from sevenepochs.model.residual import ResidualConfig


class Block(nn.Module):
    def __init__(
        self, attention: nn.Module, mlp: nn.Module, norm: NormConfig, residual: ResidualConfig, d_model: int
    ) -> None:
        super().__init__()
        # This order numbers the parameters in checkpoints, and sums their gradients' norm: a residual's scale is first.
        self.attention_residual = residual.build(d_model)
        self.attention_norm = norm.build(d_model)
        self.attention = attention
        self.mlp_residual = residual.build(d_model)
        self.mlp_norm = norm.build(d_model)
        self.mlp = mlp

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        x_BTD = self.attention_residual(x_BTD, self.attention(self.attention_norm(x_BTD), context))
        return self.mlp_residual(x_BTD, self.mlp(self.mlp_norm(x_BTD), context))

    def in_pass_order(self) -> tuple[nn.Module, ...]:
        """Return the children in the order of a forward pass, which numbers the dropout sites (model/dropout.py)."""
        return self.attention_norm, self.attention, self.attention_residual, self.mlp_norm, self.mlp, self.mlp_residual
