"""R-Drop: each batch passes twice under different dropout masks, and the two predictions are pulled together (Liang et
al. 2021, "R-Drop: regularized dropout for neural networks", arXiv:2106.14448).

B batch, T position, D model, N scored tokens, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from sevenepochs.config import check_range
from sevenepochs.model.gpt import GPTModel
from sevenepochs.objective import ObjectiveConfig


@dataclass(frozen=True)
class RDrop(ObjectiveConfig):
    """Mean cross-entropy of the two passes plus `weight` times their symmetric divergence, (KL(p|q) + KL(q|p)) / 2 in
    nats per token. The gradient goes through both."""

    passes_per_token: ClassVar[int] = 2
    weight: float = 2.0

    def __post_init__(self) -> None:
        check_range("objective.weight", self.weight, 0.0, 1e6)

    def loss(self, model: GPTModel, x_BT: Tensor, y_BT: Tensor) -> Tensor:
        # One pass over the batch laid twice: a dropout mask is a function of the element, so the halves' masks differ.
        logits = model.logits(model(torch.cat((x_BT, x_BT)))).float()
        log_p_BTV, log_q_BTV = logits.log_softmax(-1).chunk(2)
        y_N = y_BT.flatten()
        p_NV, q_NV = log_p_BTV.flatten(0, 1), log_q_BTV.flatten(0, 1)
        cross_entropy = 0.5 * (F.nll_loss(p_NV, y_N) + F.nll_loss(q_NV, y_N))
        # (KL(p|q) + KL(q|p)) / 2 = sum of (p - q)(ln p - ln q) / 2
        divergence_N = 0.5 * ((p_NV.exp() - q_NV.exp()) * (p_NV - q_NV)).sum(-1)
        is_scored_N = y_N >= 0
        divergence = torch.where(is_scored_N, divergence_N, 0.0).sum() / is_scored_N.sum()
        return cross_entropy + self.weight * divergence
