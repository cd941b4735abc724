"""A linear warm-up, then half a cosine (Loshchilov & Hutter 2016, arXiv:1608.03983; warm-up: Goyal et al. 2017,
arXiv:1706.02677). A long warm-up, 0.18 to 0.6 of all updates, is what public runs found best with AdamW here."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sevenepochs.config import check_range
from sevenepochs.learning.schedule import ScheduleConfig


@dataclass(frozen=True)
class WarmupCosine(ScheduleConfig, kind="warmup_cosine"):
    """`warmup`: share of all updates. `floor`: where the cosine ends, which the update after the last would have."""

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
