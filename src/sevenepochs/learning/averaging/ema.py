"""Exponential moving average of the weights (Polyak & Juditsky 1992; the warm-up of the decay as in TensorFlow's
ExponentialMovingAverage)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from sevenepochs.config import check_range
from sevenepochs.learning.averaging import Average, AveragingConfig
from sevenepochs.learning.averaging.running import RunningAverage


@dataclass(frozen=True)
class EMA(AveragingConfig, kind="ema"):
    """`decay` of the old average an update; early on min(decay, (1 + step) / (10 + step)), so that the random start is
    forgotten soon."""

    decay: float = 0.999

    def __post_init__(self) -> None:
        check_range("averaging.decay", self.decay, 0.0, 1.0, open_high=True)

    def share(self, step: int) -> float:
        """Of the newest weights."""
        return 1.0 - min(self.decay, (1 + step) / (10 + step))

    def build(self, model: nn.Module, n_steps: int) -> Average:
        return RunningAverage(model, self.share)
