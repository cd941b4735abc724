"""Mean cross-entropy of the next token, as stock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from sevenepochs.model.gpt import GPTModel
from sevenepochs.objective import ObjectiveConfig


@dataclass(frozen=True)
class CrossEntropy(ObjectiveConfig):
    passes_per_token: ClassVar[int] = 1

    def loss(self, model: GPTModel, x_BT: Tensor, y_BT: Tensor) -> Tensor:
        logits_BTV = model.logits(model(x_BT))
        return F.cross_entropy(logits_BTV.float().flatten(0, 1), y_BT.flatten())
