"""No averaging: a run is scored by its last weights, as stock."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from torch import Tensor, nn

from sevenepochs.learning.averaging import Average, AveragingConfig


@dataclass(frozen=True)
class LastWeights(AveragingConfig, kind="last"):
    def build(self, model: nn.Module, n_steps: int) -> Average:
        return NoAverage()


class NoAverage:
    def update(self, step: int) -> None:
        """Nothing to keep."""

    def in_place(self) -> AbstractContextManager[None]:
        return nullcontext()

    def tensors(self) -> dict[str, Tensor]:
        return {}

    def load(self, tensors: dict[str, Tensor]) -> None:
        assert not tensors, "a checkpoint of a run that averages"
