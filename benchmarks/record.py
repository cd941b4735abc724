"""Facts that every record of a benchmark holds: source, machine, versions, command."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sevenepochs.protocol.environment import environment_facts, git

_MACHINE = ("cpu_model", "cpu_flags", "cpu_count_usable", "system", "python")


def record_facts(root: Path, arguments: list[str], threads: int) -> dict[str, Any]:
    """The facts of a benchmark on the CPU; one that asked torch replaces what it knows better.

    Args:
        root: a folder of the source checkout.
        arguments: of the command line.
    """
    environment = environment_facts(root)
    return {
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "benchmarks/bench.py", *_without_folder(arguments)]),
        **source_state(root),
        "machine": {
            "device": "cpu",
            "device_name": None,
            **{name: environment[name] for name in _MACHINE},
            "onednn_max_cpu_isa": os.environ.get("ONEDNN_MAX_CPU_ISA"),
        },
        "threads": threads,
        "precision": None,
        "torch": environment["packages"]["torch"],
        "packages": environment["packages"],
    }


def source_state(root: Path) -> dict[str, Any]:
    """Commit, and whether the tree differs from it by more than results/ and docs/: what an earlier benchmark wrote
    changes no speed."""
    commit = git(root, "rev-parse", "HEAD")
    changes = git(root, "status", "--porcelain", "--", ":/", ":(top,exclude)results", ":(top,exclude)docs")
    return {
        "commit": commit.decode().strip() if commit is not None else None,
        "dirty": bool(changes.strip()) if changes is not None else None,
    }


def _without_folder(arguments: list[str]) -> list[str]:
    """The arguments without --results: a folder of this machine is nobody's business and changes nothing."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if not skip and not argument.startswith("--results"):
            kept.append(argument)
        skip = argument == "--results"
    return kept
