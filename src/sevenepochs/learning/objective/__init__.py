"""What a training step minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from sevenepochs.config import Config
from sevenepochs.model.gpt import GPTModel


class ObjectiveConfig(Config, ABC):
    """Slot `objective`. `passes_per_token`: forward passes per training token, stated in the certificate."""

    passes_per_token: ClassVar[int]

    @abstractmethod
    def loss(self, model: GPTModel, x_BT: Tensor, y_BT: Tensor) -> Tensor:
        """Scalar to minimise, nats per token: a mean over the targets, of which -100 are padding and do not count.

        It is asked for parts of a batch, too, and they are added up by their numbers of targets; a part may have none,
        and its loss is 0 then.
        """
