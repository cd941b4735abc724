"""results/bench/<benchmark>_<machine>.json: the raw measurements of benchmarks/, one file per benchmark and machine.

A later run on the same kind of machine replaces the file; another machine adds one. benchmarks/ writes them, the
terminal and docs/performance.md show them alike. No torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError
from sevenepochs.store.run import storage

FOLDER = "bench"  # below results/; it holds no result.json, so nothing takes it for a run
SCHEMA_VERSION = 1
# by the CPU's flag, best first; x86's names and Arm's
_UNITS = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "avx512f": "AVX512", "avx2": "AVX2", "bf16": "bf16"}


@dataclass(frozen=True)
class BenchRecord:
    """One benchmark on one machine; fields as in the file, in their order. `content` is the benchmark's own."""

    benchmark: str
    created_utc: str
    command: str
    commit: str | None
    dirty: bool | None
    machine: Mapping[str, Any]
    threads: int
    precision: str | None
    torch: str
    packages: Mapping[str, str]
    content: Mapping[str, Any]

    @property
    def machine_words(self) -> str:
        """The machine for people: "AMD EPYC (AVX2), 2 cores", or the GPU's name."""
        machine = self.machine
        if machine.get("device") != "cpu":
            return str(machine.get("device_name") or machine.get("device"))
        return f"{machine.get('cpu_model') or 'unknown CPU'} ({unit(machine)}), {machine.get('cpu_count_usable')} cores"

    @property
    def file_name(self) -> str:
        machine = re.sub(r"[^a-z0-9]+", "-", self.machine_words.lower()).strip("-")
        return f"{self.benchmark}_{machine}.json"

    def write(self, results_root: Path) -> Path:
        """Write the record; return its file. Raises UserError: the file cannot be written."""
        file = results_root / FOLDER / self.file_name
        text = json.dumps({"schema_version": SCHEMA_VERSION, **vars(self)}, indent=1, ensure_ascii=False) + "\n"
        with storage.disk_errors(str(file), "choose another folder with --results"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        return file


def read_records(results_root: Path, benchmark: str) -> list[BenchRecord]:
    """Return all records of one benchmark, by machine. Raises UserError: a file is damaged or of another schema
    version."""
    records = []
    for file in sorted((results_root / FOLDER).glob(f"{benchmark}_*.json")):
        with storage.damage(file, "run the benchmark again (make bench)"):
            data = json.loads(file.read_text(encoding="utf-8"))
            version = data.pop("schema_version")
            if version != SCHEMA_VERSION:
                raise UserError(f"{file} has schema version {version}, this package reads {SCHEMA_VERSION}")
            records.append(BenchRecord(**data))
    return records


def unit(machine: Mapping[str, Any]) -> str:
    """Return the best unit that the CPU multiplies with, or the one that oneDNN was held to."""
    if held := machine.get("onednn_max_cpu_isa"):
        return f"oneDNN held to {held}"
    flags = machine.get("cpu_flags") or []
    return next((name for flag, name in _UNITS.items() if flag in flags), "no wide unit known")
