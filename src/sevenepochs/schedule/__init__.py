"""Learning-rate schedules: pure functions of (update, total updates) to a multiplier of the peak rate."""

from __future__ import annotations

from sevenepochs.config import Config


class ScheduleConfig(Config):
    """Slot `schedule`."""

    def multiplier(self, step: int, total: int) -> float:
        """Factor for update `step`, counted from 1 to `total`."""
        raise NotImplementedError
