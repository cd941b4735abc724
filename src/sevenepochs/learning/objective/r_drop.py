"""R-Drop: each batch passes twice under different dropout masks, and the two predictions are pulled together (Liang et
al. 2021, "R-Drop: regularized dropout for neural networks", arXiv:2106.14448).

B batch, T position, D model, K = 2 passes, C rows of a chunk, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sevenepochs.config import check_range
from sevenepochs.learning.objective import ObjectiveConfig
from sevenepochs.learning.objective.chunked_head import add_at_targets, mean_loss, softmax_parts, targets
from sevenepochs.model.gpt import GPTModel


@dataclass(frozen=True)
class RDrop(ObjectiveConfig, kind="r_drop"):
    """Mean cross-entropy of the two passes plus `weight` times their symmetric divergence, (KL(p|q) + KL(q|p)) / 2 in
    nats per token. The gradient goes through both."""

    passes_per_token: ClassVar[int] = 2
    weight: float = 2.0

    def __post_init__(self) -> None:
        check_range("objective.weight", self.weight, 0.0, 1e6)

    def loss(self, model: GPTModel, x_BT: Tensor, y_BT: Tensor) -> Tensor:
        # One pass over the batch laid twice: a dropout mask is a function of the element, so the halves' masks differ.
        h_KBTD = model(torch.cat((x_BT, x_BT))).unflatten(0, (2, -1))
        return mean_loss(model, h_KBTD, y_BT, self.of_logits)

    def of_logits(self, logits_KCV: Tensor, y_C: Tensor) -> tuple[Tensor, Tensor]:
        """A `LogitLoss`. With d = ln p - ln q, the divergence (KL(p|q) + KL(q|p)) / 2 is the sum of (p - q) d / 2, and
        its gradient by p's logits is (p (d - KL(p|q)) + p - q) / 2; by q's the same with the roles changed."""
        is_scored_C1, place_KC1 = targets(y_C, len(logits_KCV))
        p_KCV, log_sum_KC1 = softmax_parts(logits_KCV)
        log_p_KCV = logits_KCV - log_sum_KC1
        more_KCV = log_p_KCV - log_p_KCV.flip(0)  # ln p - ln q, then ln q - ln p
        kl_KC1 = (p_KCV * more_KCV).sum(-1, keepdim=True)
        losses_KC1 = 0.5 * (log_sum_KC1 - logits_KCV.gather(-1, place_KC1) + self.weight * kl_KC1)
        by_divergence_KCV = p_KCV * (more_KCV - kl_KC1) + p_KCV - p_KCV.flip(0)
        half_C1 = 0.5 * is_scored_C1
        by_logits_KCV = (p_KCV + self.weight * by_divergence_KCV) * half_C1
        return (losses_KC1 * is_scored_C1).sum(), add_at_targets(by_logits_KCV, -half_C1, place_KC1)
