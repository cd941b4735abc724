"""Learning-rate schedules: pure functions of (update, total updates) to a multiplier of the peak rate."""

from __future__ import annotations

from abc import ABC, abstractmethod

from sevenepochs.config import Config


class ScheduleConfig(Config, ABC):
    """Slot `schedule`."""

    @abstractmethod
    def multiplier(self, step: int, total: int) -> float:
        """Factor for update `step`, counted from 1 to `total`."""
