"""Initial weights, drawn by one generator with the run's seed, module by module in the order of `model.modules()`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from sevenepochs.config import Config, check_range


def writes_to_stream(linear: nn.Linear) -> nn.Linear:
    """Mark and return a branch's last matrix, whose output is added to the stream; some inits draw it smaller."""
    linear.writes_to_stream = True  # type: ignore[assignment]  # a plain attribute, no parameter
    return linear


class InitConfig(Config, ABC):
    """Slot `model.init`."""

    @abstractmethod
    def apply(self, model: nn.Module, seed: int) -> None:
        """Set the weights, as a function of the model's shape and the seed alone."""


@dataclass(frozen=True)
class Normal(InitConfig, kind="normal"):
    """Linear and embedding weights from N(0, std), their biases 0; gains 1 and positions 0 as built. Stock: 0.02."""

    std: float = 0.02

    def __post_init__(self) -> None:
        check_range("init.std", self.std, 0.0, 10.0)

    def apply(self, model: nn.Module, seed: int) -> None:
        draw_normal(model, seed, lambda module: self.std)


@dataclass(frozen=True)
class ScaledResidual(InitConfig, kind="scaled_residual"):
    """As `Normal`, but N(0, std / sqrt(n)) for the n = 2 n_layer matrices that write to the residual stream, so that
    its variance does not grow with depth (GPT-2's residual scaling; Radford et al. 2019, "Language models are
    unsupervised multitask learners", section 2.3).
    """

    std: float = 0.02

    def __post_init__(self) -> None:
        check_range("init.std", self.std, 0.0, 10.0)

    def apply(self, model: nn.Module, seed: int) -> None:
        writers = [module for module in model.modules() if getattr(module, "writes_to_stream", False)]
        draw_normal(model, seed, lambda module: self.std / math.sqrt(len(writers)) if module in writers else self.std)


@torch.no_grad()
def draw_normal(model: nn.Module, seed: int, std_of: Callable[[nn.Module], float]) -> None:
    """Draw every Linear and Embedding weight from N(0, std of its module), and set biases to 0."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            # drawn on the CPU whatever the device, so that one seed is one set of weights
            module.weight.copy_(torch.empty(module.weight.shape).normal_(0.0, std_of(module), generator=generator))
            if isinstance(module, nn.Linear) and module.bias is not None:
                module.bias.zero_()
