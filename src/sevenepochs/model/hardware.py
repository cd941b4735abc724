"""The machine: its memory, its bf16 unit, and the ways onto it for arrays, functions and products.

Without a bf16 unit torch converts: bf16 was 17 times slower than fp32 on a CPU with AVX2 only (docs/log).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from sevenepochs.errors import UserError

# Values of ONEDNN_MAX_CPU_ISA that hold oneDNN, which multiplies bf16 matrices for torch, below each unit.
_BELOW_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
_BELOW_AMX = (*_BELOW_BF16, "AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX10_1_512")


def physical_memory_bytes() -> int | None:
    """Return the main memory of this machine in bytes; None where the system does not tell (Windows)."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def check_memory(least_bytes: int, what: str, purpose: str, advice: str) -> None:
    """Raise a UserError where `least_bytes` do not fit into the main memory, before they are allocated.

    Args:
        what, purpose: e.g. "3 parameters need", "to train".
    """
    present = physical_memory_bytes()
    if present is not None and least_bytes > present:
        raise UserError(
            f"{what} more than {least_bytes / 2**30:,.0f} GiB {purpose}, this machine has {present / 2**30:.0f}; "
            f"{advice}"
        )


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether torch ran out of memory: a GPU's (CUDA, MPS) or the machine's."""
    return any(words in str(error) for words in ("out of memory", "allocate memory", "size calculation overflowed"))


def upload(array: np.ndarray, device: torch.device | str) -> Tensor:
    """Return the array on the device; a GPU copies from pinned memory, so that the host does not wait for its work."""
    tensor = torch.from_numpy(array)
    if torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def compile_fixed(function: Callable[..., Tensor], graphs: bool = False) -> Callable[..., Tensor]:
    """Return the function compiled for the shapes it is called with.

    Args:
        graphs: use CUDA graphs too, whose outputs the next call overwrites.
    """
    return torch.compile(function, dynamic=False, mode="reduce-overhead" if graphs else None)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return a context with products in bf16 beside fp32 weights, or plain fp32."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def bf16_unit(device: torch.device) -> str | None:
    """Return the name of the device's bf16 unit; None where it has none, and on mps, which is not measured.

    A CPU needs AMX or AVX512-BF16, and ONEDNN_MAX_CPU_ISA must not hold oneDNN to less.
    """
    if device.type == "cuda":
        return "bf16 units" if torch.cuda.is_bf16_supported(including_emulation=False) else None
    if device.type == "cpu":
        held_to = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
        # the probes are private, so an absent one counts as no
        for name, probe, below in (
            ("AMX", "_is_amx_tile_supported", _BELOW_AMX),
            ("AVX512-BF16", "_is_avx512_bf16_supported", _BELOW_BF16),
        ):
            if held_to not in below and getattr(torch.cpu, probe, lambda: False)():
                return name
    return None
