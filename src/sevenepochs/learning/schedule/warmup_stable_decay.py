"""Warm-up, a plateau, and a short decay to the floor (Hu et al. 2024, "MiniCPM", arXiv:2404.06395; the decay's shape:
Hägele et al. 2024, arXiv:2405.18392)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from sevenepochs.config import check_choice, check_range
from sevenepochs.errors import UserError
from sevenepochs.learning.schedule import ScheduleConfig

Shape = Literal["sqrt", "linear", "cosine"]


@dataclass(frozen=True)
class WarmupStableDecay(ScheduleConfig, kind="warmup_stable_decay"):
    """`warmup` and `decay`: shares of all updates. `shape`: of the decay; "sqrt" falls as 1 - sqrt(progress). `floor`:
    where the decay ends, which the update after the last would have."""

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
