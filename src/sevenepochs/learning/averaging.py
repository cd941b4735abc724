"""Weights for evaluation: the last ones, or an average over updates. Training always goes on from the last ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from sevenepochs.config import Config, check_range


class Average(Protocol):
    """The state of averaging in one run."""

    def update(self, step: int) -> None:
        """Take in the model's weights after update `step`, counted from 1."""
        ...

    def in_place(self) -> AbstractContextManager[None]:
        """Return a context in which the model holds the averaged weights; afterwards its own again, to the bit."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors for a checkpoint, by name."""
        ...

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` returned."""
        ...


class AveragingConfig(Config, ABC):
    """Slot `averaging`."""

    @abstractmethod
    def build(self, model: nn.Module, n_steps: int) -> Average:
        """Return the averaging of the model's trainable parameters over a run of `n_steps` updates."""


@dataclass(frozen=True)
class LastWeights(AveragingConfig, kind="last"):
    """No averaging: the last weights are scored, as stock."""

    def build(self, model: nn.Module, n_steps: int) -> Average:
        return NoAverage()


class NoAverage:
    def update(self, step: int) -> None:
        pass

    def in_place(self) -> AbstractContextManager[None]:
        return nullcontext()

    def tensors(self) -> dict[str, Tensor]:
        return {}

    def load(self, tensors: dict[str, Tensor]) -> None:
        assert not tensors, "a checkpoint of a run that averages"


class RunningAverage:
    """average += share(step) * (weights - average) after every update, in the weights' precision, with a share of the
    newest weights in [0, 1]. A function of the step is therefore all that an averaging technique has to define.
    """

    def __init__(self, model: nn.Module, share: Callable[[int], float]) -> None:
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._names = list(named)
        self._weights: list[Tensor] = list(named.values())
        self._average = [p.detach().clone() for p in self._weights]
        self._share = share

    @torch.no_grad()
    def update(self, step: int) -> None:
        share = self._share(step)
        if share == 1.0:  # exactly, not up to rounding
            torch._foreach_copy_(self._average, self._weights)
        elif share > 0.0:
            torch._foreach_lerp_(self._average, self._weights, share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        with torch.no_grad():
            own = [p.detach().clone() for p in self._weights]
            torch._foreach_copy_(self._weights, self._average)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._weights, own)

    def tensors(self) -> dict[str, Tensor]:
        return dict(zip(self._names, self._average, strict=True))

    def load(self, tensors: dict[str, Tensor]) -> None:
        for name, average in zip(self._names, self._average, strict=True):
            average.copy_(tensors[name])


@dataclass(frozen=True)
class EMA(AveragingConfig, kind="ema"):
    """Exponential moving average of the weights (Polyak & Juditsky 1992): each update keeps `decay` of the old average;
    early on min(decay, (1 + step) / (10 + step)), as in TensorFlow, so that the random start is soon forgotten.
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        check_range("averaging.decay", self.decay, 0.0, 1.0, open_high=True)

    def share(self, step: int) -> float:
        """Return the share of the newest weights."""
        return 1.0 - min(self.decay, (1 + step) / (10 + step))

    def build(self, model: nn.Module, n_steps: int) -> Average:
        return RunningAverage(model, self.share)


@dataclass(frozen=True)
class Tail(AveragingConfig, kind="tail"):
    """The mean of the weights over the last updates (stochastic weight averaging; Izmailov et al. 2018,
    arXiv:1803.05407). `last`: their share of all updates; before, the newest weights stand for the mean.
    """

    last: float = 0.1

    def __post_init__(self) -> None:
        check_range("averaging.last", self.last, 0.0, 1.0)

    def share(self, step: int, n_steps: int) -> float:
        """Return the share of the newest weights: 1, then 1/2, 1/3, ... within the tail."""
        n_before = n_steps - max(1, round(self.last * n_steps))
        return 1.0 / max(1, step - n_before)

    def build(self, model: nn.Module, n_steps: int) -> Average:
        return RunningAverage(model, partial(self.share, n_steps=n_steps))
