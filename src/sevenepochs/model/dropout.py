"""Dropout whose mask is a pure function of (key, element index), with a key per (seed, step, site).

`nn.Dropout` draws from a stateful generator, which is slow on a CPU, differs between eager, compiled and CUDA kernels,
and has to be checkpointed. Here a resumed run sees the masks of an uninterrupted one, compiled code equals eager code,
and the hash fuses into its neighbours' kernels.

The mixer is two rounds of a 32-bit avalanche hash with a fresh key each (constants: "lowbias32", Chris Wellons,
hash-prospector, public domain). Counter-based generators: Salmon et al. 2011, "Parallel random numbers: as easy as 1,
2, 3".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sevenepochs.config import check_range
from sevenepochs.model.hardware import upload

_MULTIPLIERS = (0x7FEB352D, 0x846CA68B - (1 << 32))  # int32 tensors take signed constants
_UNIFORM_BITS = 24


class Share(NamedTuple):
    """A pass's rows of a batch of `n_rows_in_all`: `n_rows` from `first_row` on."""

    first_row: int | Tensor
    n_rows: int
    n_rows_in_all: int


class Dropout(nn.Module):
    """Zero each element with probability `p` in training mode and scale the rest by 1/(1-p); identity in eval mode.

    The input's first dimension is the rows of the batch. `reseed` the model before each training step.
    """

    key: Tensor
    first_row: Tensor

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.rows_of: tuple[int, int] | None = None  # rows of a pass and of the batch, where they differ
        self.register_buffer("key", torch.zeros(2, dtype=torch.int32), persistent=False)
        # a tensor, so that one compiled graph serves every part of a batch
        self.register_buffer("first_row", torch.zeros((), dtype=torch.int32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        share = None if self.rows_of is None else Share(self.first_row, *self.rows_of)
        return torch.where(keep_mask(x, self.key, self.p, share), x * (1.0 / (1.0 - self.p)), 0.0)


def keep_mask(x: Tensor, key: Tensor, p: float, share: Share | None = None) -> Tensor:
    """Return a boolean mask of x's shape, True with probability 1-p. `key`: two int32. x has below 2**31 elements.

    With `share`, return the whole batch's mask at these rows; x may hold them several times over.
    """
    index = torch.arange(x.numel(), dtype=torch.int32, device=x.device).view(x.shape)
    if share is not None:
        rows_B = torch.arange(len(x), dtype=torch.int32, device=x.device)
        copies_B = rows_B // share.n_rows
        # where each row would begin in the whole batch, less where it begins here
        shift_B = (copies_B * (share.n_rows_in_all - share.n_rows) + share.first_row) * x[0].numel()
        index = index + shift_B.view(-1, *(1,) * (x.dim() - 1))
    return kept(index, key, p)


def kept(index: Tensor, key: Tensor, p: float) -> Tensor:
    """Return a boolean mask of the indices' shape (int32), True with probability 1-p: the same for the same index."""
    h = _mix(_mix(index ^ key[0]) ^ key[1])
    return (h & ((1 << _UNIFORM_BITS) - 1)) >= round(p * (1 << _UNIFORM_BITS))


def _mix(h: Tensor) -> Tensor:
    # int32 shifts are arithmetic; the masks turn them into logical ones
    h = (h ^ ((h >> 16) & 0xFFFF)) * _MULTIPLIERS[0]
    h = (h ^ ((h >> 15) & 0x1FFFF)) * _MULTIPLIERS[1]
    return h ^ ((h >> 16) & 0xFFFF)


def reseed(model: nn.Module, seed: int, step: int) -> None:
    """Give every Dropout in `model` its key for (seed, step). Sites are numbered in the order of a pass."""
    sites = _sites(model)
    if not sites:
        return
    # SeedSequence mixes (seed, step) well and is stable across NumPy versions by its documented guarantee
    keys = np.random.SeedSequence((seed, step)).generate_state(2 * len(sites)).view(np.int32).reshape(-1, 2)
    # one copy to the device for all of them
    torch._foreach_copy_([site.key for site in sites], list(upload(keys, sites[0].key.device)))


def share_rows(model: nn.Module, n_rows: int, n_rows_in_all: int) -> None:
    """Tell the model that a pass sees `n_rows` rows of each batch from now on; `begin_at` says which."""
    for site in _sites(model):
        site.rows_of = (n_rows, n_rows_in_all) if n_rows < n_rows_in_all else None


def begin_at(model: nn.Module, first_row: int) -> None:
    """Tell the model that the next pass sees the batch from this row on."""
    if first_rows := [site.first_row for site in _sites(model)]:
        torch._foreach_zero_(first_rows)
        torch._foreach_add_(first_rows, first_row)


def _sites(model: nn.Module) -> list[Dropout]:
    return list(dict.fromkeys(_walk(model)))  # each once, also where modules share one


def _walk(module: nn.Module) -> Iterator[Dropout]:
    if isinstance(module, Dropout):
        yield module
    for child in getattr(module, "in_pass_order", module.children)():
        yield from _walk(child)


def check_rate(where: str, p: float) -> None:
    """Raise a UserError unless the rate p is in [0, 1)."""
    check_range(where, p, 0.0, 1.0, open_high=True)
