"""Whether a device multiplies bf16 matrices in hardware. Where it does not, torch converts and bf16 is the slow choice:
17 times slower than fp32 on a CPU with AVX2 only (docs/log.md)."""

from __future__ import annotations

import torch


def has_fast_bf16(device: torch.device) -> bool:
    """GPUs are asked; CPUs need AMX or AVX512-BF16; others count as no."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # private names, so absent ones count as no
        probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
    return False
