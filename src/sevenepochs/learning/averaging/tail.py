"""The plain mean of the weights over the last part of training (stochastic weight averaging; Izmailov et al. 2018,
arXiv:1803.05407)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import nn

from sevenepochs.config import check_range
from sevenepochs.learning.averaging import Average, AveragingConfig
from sevenepochs.learning.averaging.running import RunningAverage


@dataclass(frozen=True)
class Tail(AveragingConfig, kind="tail"):
    """`last`: share of all updates that is averaged over; before it begins, the newest weights stand for the mean."""

    last: float = 0.1

    def __post_init__(self) -> None:
        check_range("averaging.last", self.last, 0.0, 1.0)

    def share(self, step: int, n_steps: int) -> float:
        """Of the newest weights: 1, then 1/2, 1/3, ... within the tail."""
        n_before = n_steps - max(1, round(self.last * n_steps))
        return 1.0 / max(1, step - n_before)

    def build(self, model: nn.Module, n_steps: int) -> Average:
        return RunningAverage(model, partial(self.share, n_steps=n_steps))
