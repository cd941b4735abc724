"""What a training step minimises."""

from __future__ import annotations

from torch import Tensor

from sevenepochs.config import Config
from sevenepochs.model.gpt import GPTModel


class ObjectiveConfig(Config):
    """Slot `objective`. `passes_per_token`: forward passes per training token, stated in the certificate."""

    passes_per_token: int

    def loss(self, model: GPTModel, x_BT: Tensor, y_BT: Tensor) -> Tensor:
        """Scalar to minimise, nats per token."""
        raise NotImplementedError
