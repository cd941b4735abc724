"""Ours, with the loss over all logits at once: what chunks of rows (learning/chunked_head.py) are worth.

Not among the default contestants. With one narrow layer the step is nearly the head alone:

    python benchmarks/bench.py step --peers ours,all_logits --set n_layer=1 --set n_head=1 --set d_model=64
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch.nn.functional as F
from shape import Shape
from torch import Tensor

from peers import ours
from peers.usual import Step
from sevenepochs.learning.objective import ObjectiveConfig
from sevenepochs.model.gpt import GPTModel

NOTE = "ours, the loss over all logits at once"


@dataclass(frozen=True)
class OverAllLogits(ObjectiveConfig):
    passes_per_token = 1

    def loss(self, model: GPTModel, x_BT: Tensor, y_BT: Tensor) -> Tensor:
        return F.cross_entropy(model.logits(model(x_BT)).float().flatten(0, 1), y_BT.flatten())


def make_step(shape: Shape) -> Step:
    return replace(ours.make_step(shape, OverAllLogits()), note=NOTE)
