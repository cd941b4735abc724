"""A running average of weights: average += share * (weights - average) after every update, in the weights' precision.

What is averaged over is decided by the shares alone, so an averaging technique is a function of the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class RunningAverage:
    """`share(step)`: of the newest weights, in [0, 1]; 1 forgets what was before."""

    def __init__(self, model: nn.Module, share: Callable[[int], float]) -> None:
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._names = list(named)
        self._weights: list[Tensor] = list(named.values())
        self._average = [p.detach().clone() for p in self._weights]
        self._share = share

    @torch.no_grad()
    def update(self, step: int) -> None:
        share = self._share(step)
        if share == 1.0:  # exactly, not up to rounding
            torch._foreach_copy_(self._average, self._weights)
        elif share > 0.0:
            torch._foreach_lerp_(self._average, self._weights, share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        with torch.no_grad():
            own = [p.detach().clone() for p in self._weights]
            torch._foreach_copy_(self._weights, self._average)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._weights, own)

    def tensors(self) -> dict[str, Tensor]:
        return dict(zip(self._names, self._average, strict=True))

    def load(self, tensors: dict[str, Tensor]) -> None:
        for name, average in zip(self._names, self._average, strict=True):
            average.copy_(tensors[name])
