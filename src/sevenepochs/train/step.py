"""One training step: forward, backward, clip, update, on one screen.

B batch, T position in the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sevenepochs.model.dropout import reseed
from sevenepochs.model.gpt import GPTModel
from sevenepochs.model.scorer import autocast, compile_fixed
from sevenepochs.objective import ObjectiveConfig
from sevenepochs.train.ranks import ALONE, Ranks

Loss = Callable[[Tensor, Tensor], Tensor]


class StepResult(NamedTuple):
    """Host numbers of one step. `grad_norm` is taken before clipping."""

    loss: float
    grad_norm: float


def loss_function(
    objective: ObjectiveConfig, model: GPTModel, precision: str, compiled: bool, graphs: bool = False
) -> Loss:
    """(x_BT, y_BT) -> scalar loss under the run's precision; compiled as one graph when asked.

    With `graphs` the gradients lie in memory that the next call overwrites: use them before.
    """
    device = next(model.parameters()).device

    def loss(x_BT: Tensor, y_BT: Tensor) -> Tensor:
        with autocast(device, precision):
            return objective.loss(model, x_BT, y_BT)

    return compile_fixed(loss, graphs) if compiled else loss


def training_step(
    model: GPTModel,
    loss_of: Loss,
    optimizer: torch.optim.Optimizer,
    x_BT: Tensor,
    y_BT: Tensor,
    *,
    step: int,
    seed: int,
    lr_multiplier: float,
    grad_clip: float | None,
    ranks: Ranks = ALONE,
    loss_weight: float = 1.0,
) -> StepResult:
    """Update the model once. (seed, step) decide the dropout masks, so a step can be replayed on its own.

    With several processes, x_BT and y_BT are this one's rows, and `loss_weight` is `Ranks.loss_weight` of the batch.

    A non-finite loss or gradient leaves weights and optimizer untouched; the caller sees it in the result.
    """
    reseed(model, seed, step)
    optimizer.zero_grad(set_to_none=True)  # before the forward pass, which makes the head's gradient already
    loss = loss_of(x_BT, y_BT)
    if ranks.count > 1:
        loss = loss * loss_weight
    loss.backward()
    ranks.average_gradients(model.parameters())
    loss = ranks.mean(loss)
    norm = nn.utils.clip_grad_norm_(model.parameters(), grad_clip if grad_clip is not None else float("inf"))
    # one transfer: the only time that the host waits for the device
    result = StepResult(*torch.stack((loss.detach(), norm)).tolist())
    if math.isfinite(result.loss) and math.isfinite(result.grad_norm):
        for group in optimizer.param_groups:
            group["lr"] = group["peak_lr"] * lr_multiplier
        optimizer.step()
    return result
