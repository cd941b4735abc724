"""The step around a peer's model as its users would write it: autocast, torch.compile, clipping, fused AdamW."""

from __future__ import annotations

from collections.abc import Callable

import torch
from shape import Shape
from torch import Tensor, nn

Step = Callable[[Tensor, Tensor, int], Tensor]


def usual_step(model: nn.Module, loss_of: Callable[[Tensor, Tensor], Tensor], shape: Shape) -> Step:
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

    return step
