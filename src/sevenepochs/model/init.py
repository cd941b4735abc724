"""Initial weights. One generator seeded with the run's seed, modules in the order of `model.modules()`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import nn

from sevenepochs.config import Config, check_range


def writes_to_stream(linear: nn.Linear) -> nn.Linear:
    """Mark a branch's last matrix, whose output is added to the residual stream; some inits draw it smaller."""
    linear.writes_to_stream = True  # type: ignore[assignment]  # a plain attribute, no parameter
    return linear


class InitConfig(Config, ABC):
    """Slot `model.init`."""

    @abstractmethod
    def apply(self, model: nn.Module, seed: int) -> None:
        """Set the weights: a function of the model's shape and the seed alone, not of torch's global generator."""


@dataclass(frozen=True)
class Normal(InitConfig, kind="normal"):
    """Linear and embedding weights from N(0, std), their biases 0; gains 1 and positions 0 as built. Stock: 0.02."""

    std: float = 0.02

    def __post_init__(self) -> None:
        check_range("init.std", self.std, 0.0, 10.0)

    @torch.no_grad()
    def apply(self, model: nn.Module, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                draw_normal(module, self.std, generator)


@torch.no_grad()
def draw_normal(module: nn.Linear | nn.Embedding, std: float, generator: torch.Generator) -> None:
    """Weights from N(0, std), bias 0."""
    # drawn on the CPU whatever the device, so that one seed is one set of weights
    module.weight.copy_(torch.empty(module.weight.shape).normal_(0.0, std, generator=generator))
    if isinstance(module, nn.Linear) and module.bias is not None:
        module.bias.zero_()


@dataclass(frozen=True)
class ScaledResidual(InitConfig, kind="scaled_residual"):
    """GPT-2's residual scaling: every matrix that writes to the residual stream is drawn smaller by sqrt(2 n_layer), so
    that the stream's variance does not grow with depth (Radford et al. 2019, "Language models are unsupervised
    multitask learners", section 2.3).

    As `Normal`, but N(0, std / sqrt(n)) for the n matrices that write to the stream (2 n_layer in our blocks).
    """

    std: float = 0.02

    def __post_init__(self) -> None:
        check_range("init.std", self.std, 0.0, 10.0)

    @torch.no_grad()
    def apply(self, model: nn.Module, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        writers = [module for module in model.modules() if getattr(module, "writes_to_stream", False)]
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                std = self.std / math.sqrt(len(writers)) if module in writers else self.std
                draw_normal(module, std, generator)
