"""Mean cross-entropy of the next token, as stock.

K = 1 pass, C rows of a chunk, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from sevenepochs.learning.objective import ObjectiveConfig
from sevenepochs.learning.objective.chunked_head import add_at_targets, mean_loss, softmax_parts, targets
from sevenepochs.model.gpt import GPTModel


@dataclass(frozen=True)
class CrossEntropy(ObjectiveConfig, kind="cross_entropy"):
    passes_per_token: ClassVar[int] = 1

    def loss(self, model: GPTModel, x_BT: Tensor, y_BT: Tensor) -> Tensor:
        return mean_loss(model, model(x_BT).unsqueeze(0), y_BT, cross_entropy)


def cross_entropy(logits_KCV: Tensor, y_C: Tensor) -> tuple[Tensor, Tensor]:
    """A `LogitLoss`: -ln p of the targets; by the logits, p less one at the target."""
    is_scored_C1, place_KC1 = targets(y_C, len(logits_KCV))
    p_KCV, log_sum_KC1 = softmax_parts(logits_KCV)
    loss = ((log_sum_KC1 - logits_KCV.gather(-1, place_KC1)) * is_scored_C1).sum()
    return loss, add_at_targets(p_KCV.mul_(is_scored_C1), -is_scored_C1, place_KC1)
