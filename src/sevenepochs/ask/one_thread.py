"""One thread for one text. Threads that share the few tokens of a title wait for one another at some fifty places of
every pass: nothing is gained on an idle machine, and on a busy one each wait lasts until the other thread has its turn
(docs/log has figures)."""

from __future__ import annotations

import torch


def one_thread() -> None:
    """For the rest of this process, and for threads that first use torch afterwards."""
    torch.set_num_threads(1)
