"""Objectives: the loss that a training step minimises.

B batch, T position, D model, K passes of the same tokens (2 for R-Drop), C rows of a chunk, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sevenepochs.config import Config, check_range
from sevenepochs.learning.chunked_head import add_at_targets, mean_loss, softmax_parts, targets
from sevenepochs.model.gpt import GPTModel


class ObjectiveConfig(Config, ABC):
    """Slot `objective`. `passes_per_token`: forward passes per training token, for the certificate."""

    passes_per_token: ClassVar[int]

    def at(self, epoch: int) -> ObjectiveConfig:
        """Return the objective of an epoch, counted from 1."""
        return self

    @abstractmethod
    def loss(self, model: GPTModel, x_BT: Tensor, y_BT: Tensor) -> Tensor:
        """Return the scalar to minimise, nats per token: a mean over the targets, where -100 is padding.

        Parts of a batch are added up, weighted by their targets. The loss of a part without targets is 0.
        """


@dataclass(frozen=True)
class CrossEntropy(ObjectiveConfig, kind="cross_entropy"):
    """Mean cross-entropy of the next token, as stock."""

    passes_per_token: ClassVar[int] = 1

    def loss(self, model: GPTModel, x_BT: Tensor, y_BT: Tensor) -> Tensor:
        return mean_loss(model, model(x_BT).unsqueeze(0), y_BT, cross_entropy)


def cross_entropy(logits_KCV: Tensor, y_C: Tensor) -> tuple[Tensor, Tensor]:
    """A `LogitLoss`: -ln p of the targets; by the logits, p less one at the target."""
    is_scored_C1, place_KC1 = targets(y_C, len(logits_KCV))
    p_KCV, log_sum_KC1 = softmax_parts(logits_KCV)
    loss = ((log_sum_KC1 - logits_KCV.gather(-1, place_KC1)) * is_scored_C1).sum()
    return loss, add_at_targets(p_KCV.mul_(is_scored_C1), -is_scored_C1, place_KC1)


@dataclass(frozen=True)
class RDrop(ObjectiveConfig, kind="r_drop"):
    """R-Drop (Liang et al. 2021, "R-Drop: regularized dropout for neural networks", arXiv:2106.14448): the mean
    cross-entropy of two passes under different dropout masks, plus `weight` times their divergence
    (KL(p|q) + KL(q|p)) / 2 in nats per token. The gradient goes through both passes.
    """

    passes_per_token: ClassVar[int] = 2
    weight: float = 2.0

    def __post_init__(self) -> None:
        check_range("objective.weight", self.weight, 0.0, 1e6)

    def loss(self, model: GPTModel, x_BT: Tensor, y_BT: Tensor) -> Tensor:
        # One pass over the batch twice: a dropout mask is a function of the element, so the halves' masks differ.
        h_KBTD = model(torch.cat((x_BT, x_BT))).unflatten(0, (2, -1))
        return mean_loss(model, h_KBTD, y_BT, self.of_logits)

    def of_logits(self, logits_KCV: Tensor, y_C: Tensor) -> tuple[Tensor, Tensor]:
        """A `LogitLoss`. Let d = ln p - ln q: the divergence (KL(p|q) + KL(q|p)) / 2 is the sum of (p - q) d / 2. Its
        gradient by p's logits is (p (d - KL(p|q)) + p - q) / 2, and by q's the same with p and q exchanged."""
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


@dataclass(frozen=True)
class LateRDrop(RDrop, kind="late_r_drop"):
    """R-Drop from epoch `first_epoch` on, cross-entropy before: a token costs one pass while the model still learns
    what is common to all titles, and two once it could begin to memorise."""

    first_epoch: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("objective.first_epoch", self.first_epoch, 1, 1000)

    def at(self, epoch: int) -> ObjectiveConfig:
        return RDrop(self.weight) if epoch >= self.first_epoch else CrossEntropy()
