"""Which weights a run is scored by and leaves behind: the last ones, or an average over updates. Training itself goes
on from the last ones either way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor, nn

from sevenepochs.config import Config


class Average(Protocol):
    """The state of one run's averaging."""

    def update(self, step: int) -> None:
        """Take the model's weights after update `step`, counted from 1, into account."""
        ...

    def in_place(self) -> AbstractContextManager[None]:
        """While it is open the model holds the averaged weights; afterwards its own again, to the bit."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps, by name."""
        ...

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Inverse of `tensors`."""
        ...


class AveragingConfig(Config, ABC):
    """Slot `averaging`."""

    @abstractmethod
    def build(self, model: nn.Module, n_steps: int) -> Average:
        """Over the model's trainable parameters, for a run of `n_steps` updates."""
