"""One training step: forward, backward, clip, update, on one screen.

A batch may be cut into micro-batches whose gradients add up. Masks and weights of targets are those of the whole batch,
so the step is the same to rounding, and only one part's activations are kept for the backward pass.

B batch, b micro-batch, T position in the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sevenepochs.learning.objective import ObjectiveConfig
from sevenepochs.learning.optim import OptimizerConfig
from sevenepochs.model.dropout import begin_at, reseed
from sevenepochs.model.gpt import GPTModel
from sevenepochs.model.hardware import autocast, compile_fixed
from sevenepochs.training.ranks import ALONE, Ranks

Loss = Callable[[Tensor, Tensor], Tensor]


class StepResult(NamedTuple):
    """Numbers of one step on the host. `loss`: nats per token. `grad_norm`: before clipping."""

    loss: float
    grad_norm: float

    @property
    def is_finite(self) -> bool:
        """Whether the model was updated."""
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


def build_optimizer(config: OptimizerConfig, model: GPTModel) -> torch.optim.Optimizer:
    """Return the optimizer for `training_step`: each group keeps the `peak_lr` that the schedule multiplies."""
    optimizer = config.build(model)
    for group in optimizer.param_groups:
        group["peak_lr"] = group["lr"]
    return optimizer


def loss_function(
    objective: ObjectiveConfig, model: GPTModel, precision: str, compiled: bool, graphs: bool = False
) -> Loss:
    """Return a function (x_BT, y_BT) -> scalar loss in the run's precision; `compiled`: as one graph.

    With `graphs` the next call overwrites the gradients' memory: use them before.
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
    loss_weights: Sequence[float] = (1.0,),
) -> StepResult:
    """Update the model once; (seed, step) decide the dropout masks. A non-finite loss or gradient changes nothing.

    Args:
        optimizer: of `build_optimizer`.
        x_BT, y_BT: this process's rows. Where a pass sees fewer rows than the batch has, call `share_rows` before.
        loss_weights: `Ranks.loss_weights` of the batch, one per micro-batch.
    """
    reseed(model, seed, step)
    optimizer.zero_grad(set_to_none=True)
    n_parts = len(loss_weights)
    is_whole = ranks.count == n_parts == 1
    losses = []
    parts = zip(x_BT.chunk(n_parts), y_BT.chunk(n_parts), loss_weights, strict=True)
    for part, (x_bT, y_bT, weight) in enumerate(parts):
        if not is_whole:
            begin_at(model, ranks.rank * len(x_BT) + part * len(x_bT))
        loss = loss_of(x_bT, y_bT)
        if not is_whole:
            loss = loss * weight
        loss.backward()
        losses.append(loss.detach())
    ranks.average_gradients(model.parameters())
    loss = ranks.mean(torch.stack(losses).sum())
    norm = nn.utils.clip_grad_norm_(model.parameters(), grad_clip if grad_clip is not None else float("inf"))
    # one transfer, for which alone the host waits for the device
    result = StepResult(*torch.stack((loss, norm)).tolist())
    if result.is_finite:
        for group in optimizer.param_groups:
            group["lr"] = group["peak_lr"] * lr_multiplier
        optimizer.step()
    return result
