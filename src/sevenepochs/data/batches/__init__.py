"""How the training stream becomes batches, and the validation stream becomes scoring rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np

from sevenepochs.config import Config, check_range
from sevenepochs.errors import UserError
from sevenepochs.protocol.rows import Rows


class TrainingBatches(Protocol):
    """Batches as a pure function of the step: nothing to save, nothing to replay on resume."""

    steps_per_epoch: int
    targets_per_step: int

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets x_BT, y_BT (int64) of a step, counted from 1. Always `batch_size` rows; a target of -100
        is padding."""
        ...


class BatchesConfig(Config, ABC):
    """Slot `batches`. `batch_size` rows of `block_size` tokens make a step."""

    batch_size: int
    block_size: int

    def __post_init__(self) -> None:
        check_range("batches.batch_size", self.batch_size, 1, 1_000_000)
        check_range("batches.block_size", self.block_size, 1, 1_000_000)

    @abstractmethod
    def build(self, ids: np.ndarray, eos_id: int, seed: int) -> TrainingBatches:
        """The batches of a training stream; `seed` orders them where the recipe shuffles, `eos_id` parts titles."""

    def build_with_facts(self, ids: np.ndarray, eos_id: int, seed: int, inputs: np.ndarray) -> TrainingBatches:
        """The same where the input before each target is given, so that a title's facts come with it (data/facts.py).

        Raises:
            UserError: these batches cut titles, or let one follow another title's `<eos>`.
        """
        raise UserError("model.facts needs batches of whole titles: --set batches=title_rows")

    @abstractmethod
    def scoring_rows(self, ids: np.ndarray, eos_id: int) -> Rows:
        """How this recipe cuts the validation stream for the exact metric."""
