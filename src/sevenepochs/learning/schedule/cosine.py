"""Half a cosine from 1 to 0 (Loshchilov & Hutter 2016, arXiv:1608.03983), no warm-up, as stock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sevenepochs.learning.schedule import ScheduleConfig


@dataclass(frozen=True)
class Cosine(ScheduleConfig, kind="cosine"):
    """The first update has the peak rate; the one after the last would have 0 (`CosineAnnealingLR(T_max=total)`)."""

    def multiplier(self, step: int, total: int) -> float:
        return 0.5 * (1.0 + math.cos(math.pi * (step - 1) / total))
