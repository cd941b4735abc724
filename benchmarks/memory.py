"""How much memory this process holds, and the most that it held: resident (Linux), or what torch took of the GPU, the
pools of CUDA graphs included, which its allocator does not count as given out."""

from __future__ import annotations

from pathlib import Path


def level_bytes(device: str = "cpu") -> int:
    """Held now."""
    if device == "cuda":
        import torch

        return int(torch.cuda.memory_reserved())
    return _status("VmRSS")


def peak_bytes(device: str = "cpu") -> int:
    """The most that was held since the start, or since `forget_peak`."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_reserved())
    return _status("VmHWM")


def forget_peak(device: str) -> None:
    """The high-water mark starts again at the present level."""
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def _status(key: str) -> int:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[key].split()[0]) * 1024
