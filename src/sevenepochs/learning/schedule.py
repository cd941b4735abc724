"""Learning-rate schedules: pure functions from (update, number of updates) to a multiplier of the peak rate."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from sevenepochs.config import Config, check_choice, check_range
from sevenepochs.errors import UserError


class ScheduleConfig(Config, ABC):
    """Slot `schedule`."""

    @abstractmethod
    def multiplier(self, step: int, total: int) -> float:
        """Return the factor of update `step`, counted from 1 to `total`."""


@dataclass(frozen=True)
class Cosine(ScheduleConfig, kind="cosine"):
    """Half a cosine from 1 to 0 (Loshchilov & Hutter 2016, arXiv:1608.03983), no warm-up, as stock.

    The first update has the peak rate; the one after the last would have 0 (`CosineAnnealingLR(T_max=total)`).
    """

    def multiplier(self, step: int, total: int) -> float:
        return 0.5 * (1.0 + math.cos(math.pi * (step - 1) / total))


@dataclass(frozen=True)
class WarmupCosine(ScheduleConfig, kind="warmup_cosine"):
    """A linear warm-up, then half a cosine (warm-up: Goyal et al. 2017, arXiv:1706.02677).

    `warmup`: share of all updates. `floor`: the factor that the update after the last would have.
    """

    warmup: float = 0.18
    floor: float = 0.0

    def __post_init__(self) -> None:
        check_range("schedule.warmup", self.warmup, 0.0, 1.0)
        check_range("schedule.floor", self.floor, 0.0, 1.0)

    def multiplier(self, step: int, total: int) -> float:
        n_warmup = int(self.warmup * total)
        if step <= n_warmup:
            return step / n_warmup
        progress = (step - 1 - n_warmup) / (total - n_warmup)
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


Shape = Literal["sqrt", "linear", "cosine"]


@dataclass(frozen=True)
class WarmupStableDecay(ScheduleConfig, kind="warmup_stable_decay"):
    """Warm-up, a plateau, and a short decay (Hu et al. 2024, "MiniCPM", arXiv:2404.06395; the decay's shape: Hägele et
    al. 2024, arXiv:2405.18392).

    `warmup` and `decay`: shares of all updates. `shape`: of the decay; "sqrt" falls as 1 - sqrt(progress). `floor`:
    the factor that the update after the last would have.
    """

    warmup: float = 0.05
    decay: float = 0.1
    shape: Shape = "sqrt"
    floor: float = 0.0

    def __post_init__(self) -> None:
        check_range("schedule.warmup", self.warmup, 0.0, 1.0)
        check_range("schedule.decay", self.decay, 0.0, 1.0)
        check_range("schedule.floor", self.floor, 0.0, 1.0)
        check_choice("schedule.shape", self.shape, Shape)
        if self.warmup + self.decay > 1.0:
            raise UserError(f"schedule.warmup + schedule.decay = {self.warmup + self.decay:g} is more than all updates")

    def multiplier(self, step: int, total: int) -> float:
        n_warmup, n_decay = int(self.warmup * total), int(self.decay * total)
        if step <= n_warmup:
            return step / n_warmup
        if step <= total - n_decay:
            return 1.0
        progress = (step - 1 - (total - n_decay)) / n_decay
        falling = {
            "sqrt": 1.0 - math.sqrt(progress),
            "linear": 1.0 - progress,
            "cosine": 0.5 * (1.0 + math.cos(math.pi * progress)),
        }[self.shape]
        return self.floor + (1.0 - self.floor) * falling
