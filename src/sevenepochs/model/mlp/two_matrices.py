"""out(dropout(activation(in(x)))): the shape that most position-wise networks share."""

from __future__ import annotations

from torch import Tensor, nn

from sevenepochs.model.context import Context
from sevenepochs.model.dropout import Dropout
from sevenepochs.model.init import writes_to_stream


class TwoMatrices(nn.Sequential):
    """The matrices are numbers 0 and 2 of the sequence, so that weights keep one name whatever the dropout is.

    `widening`: how many times wider the first product is than what the activation returns (2 where it gates).
    """

    def __init__(
        self, d_model: int, d_hidden: int, activation: nn.Module, bias: bool, dropout: float, widening: int = 1
    ) -> None:
        super().__init__(
            nn.Linear(d_model, widening * d_hidden, bias=bias),
            activation if dropout == 0.0 else nn.Sequential(activation, Dropout(dropout)),
            writes_to_stream(nn.Linear(d_hidden, d_model, bias=bias)),
        )

    def forward(self, x_BTD: Tensor, context: Context | None = None) -> Tensor:
        return super().forward(x_BTD)
