"""The environment of a run: versions, processor, and the exact source (commit and diff). Stdlib only.

Nothing in it names a person or a machine: no host name, user name, absolute path or remote's address.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ("sevenepochs", "torch", "numpy", "tokenizers", "safetensors", "pyarrow", "huggingface_hub")
# Flags that decide the speed of reduced precision on a CPU: x86's names, then Arm's.
CPU_FLAGS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "bf16", "sve", "asimd")
EARLIER = "earlier"  # key of a resumed run's environment: environments of earlier sessions that differed
MAX_DIFF_BYTES = 200_000
MAX_UNTRACKED_FILES = 100
MAX_HASHED_BYTES = 10_000_000  # an untracked file this large is data, not source


def environment_facts(root: Path | None = None) -> dict[str, Any]:
    """Return the facts as JSON values, null where unknown.

    Args:
        root: a folder of the source checkout; by default the package's own.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # macOS and Windows have none
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu_model": _cpu_model(),
        "cpu_flags": _cpu_flags(),
        "cpu_count": os.cpu_count(),
        "cpu_count_usable": len(affinity(0)) if affinity else os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
        "source": source_facts(root or Path(__file__).resolve().parent),
    }


def earlier_environments(before: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the different environments of a run's earlier sessions, oldest first, without the present one."""
    sessions = [*before.get(EARLIER, []), {key: value for key, value in before.items() if key != EARLIER}]
    present = {key: value for key, value in now.items() if key != EARLIER}
    return [one for index, one in enumerate(sessions) if one != present and one not in sessions[:index]]


def source_facts(root: Path) -> dict[str, Any] | None:
    """Return commit and changes of the checkout of `root`; None outside a git checkout.

    A package installed into another project's checkout is not tracked there, and counts as outside.
    The diff is against the commit, with paths relative to the checkout; untracked files are listed by hash (null when
    large). `diff_sha256` is of the whole diff, also when the text is cut.
    """
    if not (git(root, "ls-files") or b"").strip():
        return None
    top = git(root, "rev-parse", "--show-cdup")  # relative, so that nothing absolute is even read
    checkout = root / (top or b"").decode().strip()
    commit = git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    against = ["HEAD"] if commit else ["--cached"]
    diff = git(checkout, "diff", "--no-ext-diff", "--no-textconv", "--no-color", *against) or b""
    untracked_names = (git(checkout, "ls-files", "--others", "--exclude-standard", "-z") or b"").split(b"\0")
    untracked = sorted(os.fsdecode(name) for name in untracked_names if name)
    return {
        "commit": commit.decode().strip() if commit else None,
        "dirty": bool(diff or untracked or not commit),
        "diff_sha256": hashlib.sha256(diff).hexdigest() if diff else None,
        "diff": diff[:MAX_DIFF_BYTES].decode("utf-8", errors="replace"),
        "diff_cut": len(diff) > MAX_DIFF_BYTES,
        "untracked_sha256": {name: _file_sha256(checkout / name) for name in untracked[:MAX_UNTRACKED_FILES]},
        "untracked_count": len(untracked),
    }


def git(root: Path, *arguments: str) -> bytes | None:
    """Return git's output in `root`, or None when it fails or is absent. It takes no locks, for the sake of commits."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            cwd=root,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _file_sha256(path: Path) -> str | None:
    try:
        if path.stat().st_size > MAX_HASHED_BYTES:
            return None
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # a broken link, or gone in the meantime
        return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str | None:
    if platform.system() == "Darwin":
        return _sysctl("machdep.cpu.brand_string")
    found = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    return found[1].strip() if found else (platform.processor() or None)


def _cpu_flags() -> list[str]:
    if platform.system() == "Darwin":
        # Apple silicon has a name per feature; Intel Macs list them, AVX2 among the "leaf 7" ones
        arm = ["bf16"] if _sysctl("hw.optional.arm.FEAT_BF16") == "1" else []
        intel = (_sysctl("machdep.cpu.leaf7_features") or "").lower().split()
        return arm + [flag for flag in CPU_FLAGS if flag in intel]
    lines = re.findall(r"^(?:flags|Features)\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    present = set(lines[0].split()) if lines else set()
    return [flag for flag in CPU_FLAGS if flag in present]


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _sysctl(name: str) -> str | None:
    try:
        done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
