"""What a machine has: memory, and a unit that multiplies bf16 matrices.

Where there is no such unit torch converts, and bf16 is the slow choice: 17 times slower than fp32 on a CPU with AVX2
only (docs/log.md).
"""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import Tensor


def physical_memory_bytes() -> int | None:
    """The main memory of this machine; None where the system does not say (Windows)."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def upload(array: np.ndarray, device: torch.device | str) -> Tensor:
    """The array on the device; to a GPU from pinned memory, so that nobody waits for what the GPU is busy with."""
    tensor = torch.from_numpy(array)
    if torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def bf16_unit(device: torch.device) -> str | None:
    """Its name. GPUs are asked; CPUs need AMX or AVX512-BF16; of others (mps) nothing is measured, so none."""
    if device.type == "cuda":
        return "bf16 units" if torch.cuda.is_bf16_supported(including_emulation=False) else None
    if device.type == "cpu":
        # private names, so absent ones count as no
        for name, probe in (("AMX", "_is_amx_tile_supported"), ("AVX512-BF16", "_is_avx512_bf16_supported")):
            if getattr(torch.cpu, probe, lambda: False)():
                return name
    return None
