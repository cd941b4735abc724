"""What the other processes of a run have instead of a RunWriter: the same calls, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class SilentWriter:
    """`path` is the run's; every writing method of RunWriter does nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_json(self, name: str, data: Any) -> None: ...

    def append_metric(self, row: Any) -> None: ...

    def append_mainrun(self, event: str, **fields: Any) -> None: ...

    def save_snapshot(self, step: int, tensors: Any) -> None: ...

    def truncate_metrics(self, step: int) -> None: ...

    def write_text(self, name: str, text: str) -> None: ...

    def forget_failure(self) -> None: ...

    def fail(self, message: str, **facts: Any) -> None: ...
