"""GPT-2's residual scaling: every matrix that writes to the residual stream is drawn smaller by sqrt(2 n_layer), so
that the stream's variance does not grow with depth (Radford et al. 2019, "Language models are unsupervised multitask
learners", section 2.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from sevenepochs.config import check_range
from sevenepochs.model.init import InitConfig, draw_normal


@dataclass(frozen=True)
class ScaledResidual(InitConfig, kind="scaled_residual"):
    """As `Normal`, but N(0, std / sqrt(n)) for the n matrices that write to the stream (2 n_layer in our blocks)."""

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
