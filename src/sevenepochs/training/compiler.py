"""Find out whether torch can compile here, by compiling a tiny kernel: a compiler may exist and still not work."""

from __future__ import annotations

import functools
import os
import re
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import torch

# Characters that separate or quote words for a shell; torch puts paths into its compiler's command as they are.
_UNQUOTED = " \t'\"\\"


@functools.cache
def compiler_fault(device: str) -> str | None:
    """Compile and run a tiny kernel, once per process and device; return None where that works, else one line that says
    why not and what to install. It names no folder, because run folders keep it.
    """
    # a number per process, so that a kernel in torch's cache does not hide that compiling fails now
    number = 1.0 + time.time_ns() % 2**20 / 2**20
    try:
        torch.compile(lambda x: (x * number).sin().sum(), dynamic=False)(torch.ones(64, device=device))
    except Exception as error:  # from torch, the compiler, the loader or the file system: no list of types is complete
        return fault_in_words(str(error), device)
    return None


def fault_in_words(text: str, device: str) -> str:
    """Return the cause of a failed compilation and its remedy, from the text of torch's error."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    headers = sysconfig.get_path("include")
    if "Python.h" in text and not _is_unquoted(headers):
        return f"Python's headers are missing; install python{python}-dev (Fedora: python3-devel) or a Python with them"
    if "No working C++ compiler" in text or "InvalidCxxCompiler" in text:
        return "no C++ compiler works; install g++ or clang"
    if "Failed to find C compiler" in text:
        return "no C compiler works; install gcc or clang"
    if "TritonMissing" in text or "triton installation" in text:
        return "triton does not work; install the package triton"
    if "No space left on device" in text or "File too large" in text:
        return "torch's cache cannot be written; make room, or set TORCHINDUCTOR_CACHE_DIR to a folder with room"
    if "failed to map segment" in text or "Operation not permitted" in text:
        return (
            "programs in torch's cache may not be executed (mounted noexec); "
            "set TORCHINDUCTOR_CACHE_DIR to a folder where they may"
        )
    for what, path, remedy in (
        ("the folder of temporary files", tempfile.gettempdir(), "set TMPDIR to another"),
        ("torch's cache", os.environ.get("TORCHINDUCTOR_CACHE_DIR", ""), "set TORCHINDUCTOR_CACHE_DIR to another"),
        ("the Python environment", str(Path(torch.__file__).parent), "make it in another folder"),
        ("Python's headers", headers, "use a Python in another folder"),
    ):
        if _is_unquoted(path):
            return f"the path of {what} has a blank or a quote, which torch's compiler command does not take; {remedy}"
    lines = [line for line in text.splitlines() if "error" in line.lower()] or text.splitlines() or [""]
    reason = re.sub(r"(?<!\w)/\S*/", "", lines[-1] if device == "cpu" else lines[0]).strip()[:160]
    return f"compiling failed ({reason})"


def _is_unquoted(path: str) -> bool:
    return any(letter in path for letter in _UNQUOTED)
