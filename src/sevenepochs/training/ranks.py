"""Several processes train one model (data parallel; Li et al. 2020, arXiv:2006.15704).

Every process holds the whole model, makes the whole batch (a pure function of the step) and takes its share of rows.
Gradients are averaged before clipping, so all make the same update. Dropout masks are those that the rows have in one
process (model/dropout.py), so the loss curve is that of one process, to rounding. Only the first process writes.

`torchrun --standalone --nproc-per-node N -m sevenepochs train ...` starts the processes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn

from sevenepochs.errors import UserError
from sevenepochs.protocol.scoring import Scorer

Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Ranks:
    """This process among `count`. With one process no method communicates."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @classmethod
    def from_environment(cls) -> Ranks:
        """Read torchrun's environment variables; one process where there are none.

        Raises:
            UserError: the variables make no sense.
        """
        try:
            count = int(os.environ.get("WORLD_SIZE", "1"))
            ranks = cls(int(os.environ.get("RANK", "0")), count, int(os.environ.get("LOCAL_RANK", "0")))
        except ValueError as error:
            raise UserError(f"RANK, WORLD_SIZE or LOCAL_RANK is not a number ({error}); torchrun sets them") from None
        if not 0 <= ranks.rank < count:
            raise UserError(f"RANK = {ranks.rank} of WORLD_SIZE = {count}: torchrun sets both")
        return ranks

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Connect the processes for as long as the context lasts."""
        if self.count == 1:
            yield
            return
        # with fewer GPUs than processes this is a run on the CPU (see `check_devices`)
        if self.local_rank < torch.cuda.device_count():
            torch.cuda.set_device(self.local_rank)  # "cuda" means this GPU from here on
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(backend, rank=self.rank, world_size=self.count)
        try:
            yield
        finally:
            distributed.destroy_process_group()

    def check_divides(self, batch_size: int) -> None:
        """Raise a UserError unless every process gets equally many rows."""
        if batch_size % self.count:
            raise UserError(
                f"batches.batch_size = {batch_size} rows cannot be shared equally by {self.count} processes; "
                "choose another --nproc-per-node"
            )

    def check_devices(self, device: str) -> None:
        """Raise a UserError, in all processes alike, unless each has a GPU of its own where GPUs train."""
        if device == "mps" and self.count > 1:
            raise UserError(f"{self.count} processes and one GPU: start it without torchrun, or training.device=cpu")
        if self.any(device == "cuda" and self.local_rank >= torch.cuda.device_count()):
            raise UserError(
                f"{self.count} processes and {torch.cuda.device_count()} GPUs: choose a smaller --nproc-per-node, or "
                "training.device=cpu"
            )

    def share(self, array: np.ndarray) -> np.ndarray:
        """Return this process's rows of a batch."""
        return np.split(array, self.count)[self.rank]

    def loss_weights(self, y_BT: np.ndarray, micro_batches: int = 1) -> list[float]:
        """Return one weight per part of this process's rows, to turn their mean losses into the mean over all targets.
        Parts hold different numbers of targets because rows are padded.

        Args:
            y_BT: the whole batch's targets.
        """
        n_targets = float((y_BT >= 0).sum())
        return [float((part >= 0).sum()) * self.count / n_targets for part in np.split(self.share(y_BT), micro_batches)]

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes, in one message."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean of a scalar over the processes."""
        if self.count == 1:
            return value
        total = value.detach().clone()
        distributed.all_reduce(total)
        return total / self.count

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process, so that all stop after the same step."""
        if self.count == 1:
            return flag
        flags = torch.tensor(int(flag))
        distributed.all_reduce(flags, distributed.ReduceOp.MAX)
        return bool(flags)

    def from_first(self, text: str | None) -> str:
        """Return the first process's text; the others pass None."""
        box = [text]
        if self.count > 1:
            distributed.broadcast_object_list(box, src=0)
        [received] = box
        assert received is not None, "the first process sends a text"
        return received

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.any(False)

    def first_goes_first(self, action: Callable[[], Outcome]) -> Outcome:
        """Act in each process, in the first one before the others: they find its downloads and files."""
        if self.is_first:
            result = action()
            self.wait()
            return result
        self.wait()
        return action()


ALONE = Ranks()


class SharedScorer:
    """Implements `protocol.scoring.Scorer`: each process scores its part of the rows, and all get every result."""

    def __init__(self, scorer: Scorer, ranks: Ranks) -> None:
        self._scorer, self._ranks = scorer, ranks

    def log_probs(self, x_RT: np.ndarray, y_RT: np.ndarray) -> np.ndarray:
        mine = np.array_split(np.arange(len(x_RT)), self._ranks.count)[self._ranks.rank]
        found_RT = torch.zeros(x_RT.shape, dtype=torch.float64)
        if len(mine):
            found_RT[mine] = torch.from_numpy(self._scorer.log_probs(x_RT[mine], y_RT[mine]))
        distributed.all_reduce(found_RT)  # the others' rows are zeros here
        return found_RT.numpy()
