"""Several optimizers as one, each over its own part of the parameters.

The trainer and the checkpoint see one `torch.optim.Optimizer`: its groups are the parts' groups and its state is
theirs, so learning rates are scheduled and runs are resumed as with any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Partition(torch.optim.Optimizer):
    """Steps every part in turn. Parts and this object share groups and state."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.parts = list(parts)
        self._share()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # load_state_dict comes through here with new groups and state
        self._share()

    def _share(self) -> None:
        low = 0
        for part in self.parts:
            high = low + len(part.param_groups)
            part.param_groups = self.param_groups[low:high]
            part.state = self.state
            low = high
        assert low == len(self.param_groups)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every part."""
        assert closure is None, "the parts would each call it again"
        for part in self.parts:
            part.step()
        return None


def hidden_matrices(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """The model's parameters in two: matrices inside its blocks, and all the rest (embedding, head, gains, biases)."""
    matrices: list[Tensor] = [p for p in model.get_submodule("blocks").parameters() if p.ndim == 2 and p.requires_grad]
    chosen = {id(p) for p in matrices}
    rest: list[Tensor] = [p for p in model.parameters() if id(p) not in chosen and p.requires_grad]
    check_partition(model, matrices, rest)
    return matrices, rest


def check_partition(model: nn.Module, *parts: Iterable[Tensor]) -> None:
    """Assert that the parts hold each trainable parameter exactly once (a tied matrix is one parameter)."""
    held = sorted(id(p) for part in parts for p in part)
    assert held == sorted(id(p) for p in model.parameters() if p.requires_grad), "parts do not partition the model"
