"""The step around a peer's model as its users would write it: autocast, torch.compile, clipping, fused AdamW."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from shape import Shape
from torch import Tensor, nn


@dataclass(frozen=True)
class Step:
    """A contestant's step.

    Attributes:
        run: (x_BT, y_BT, number of the step) to the loss.
        note: what is different about it, for the table.
        micro_batches: the parts that its rows are cut into.
    """

    run: Callable[[Tensor, Tensor, int], Tensor]
    note: str
    micro_batches: int = 1


def usual_step(model: nn.Module, loss_of: Callable[[Tensor, Tensor], Tensor], shape: Shape, note: str) -> Step:
    model.train()
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=5e-4, betas=(0.9, 0.95), fused=True)
    mode = "reduce-overhead" if shape.compile == "graphs" and shape.device == "cuda" else None
    compiled = loss_of if shape.compile == "off" else torch.compile(loss_of, mode=mode)

    def step(x_BT: Tensor, y_BT: Tensor, number: int) -> Tensor:
        with torch.autocast(shape.device, torch.bfloat16, enabled=shape.precision == "bf16"):
            loss = compiled(x_BT, y_BT)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    return Step(step, note)
