"""What an export hands back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Exported:
    """`target`: what it is, for people. `logit_difference`: the largest against the run's own model, fp32, probe.py."""

    path: Path
    target: str
    logit_difference: float
