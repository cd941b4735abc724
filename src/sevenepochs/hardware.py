"""Which unit of a device multiplies bf16 matrices, if any. Where there is none torch converts, and bf16 is the slow
choice: 17 times slower than fp32 on a CPU with AVX2 only (docs/log.md)."""

from __future__ import annotations

import torch


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
