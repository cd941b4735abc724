"""Lists of measurements in results/ that are no runs (noise.json, anchors.json): one JSON file, one entry each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from sevenepochs.errors import UserError
from sevenepochs.store.run import storage

T = TypeVar("T")


def read(file: Path, name: str, version: int, parse: Callable[[dict[str, Any]], T], again: str) -> list[T]:
    """Return the entries below `name`; none where there is no such file. Raises UserError: the file is damaged or of
    another schema version; `again` is the command that measures."""
    advice = f"delete it and measure again: {again}"
    if not file.exists():
        return []
    with storage.damage(file, advice):
        data = json.loads(file.read_text(encoding="utf-8"))
        if (found := data["schema_version"]) != version:
            raise UserError(f"{file} has schema version {found}, this package reads {version}; {advice}")
        return [parse(entry) for entry in data[name]]


def write(file: Path, name: str, version: int, entries: Iterable[dict[str, Any]]) -> None:
    """Write entries, which are in nats per character. Raises UserError: the file cannot be written."""
    text = json.dumps({"schema_version": version, "unit": "nats/char", name: list(entries)}, indent=1) + "\n"
    with storage.disk_errors(str(file), "choose another folder with --results"):
        file.parent.mkdir(parents=True, exist_ok=True)
        storage.write_text(file, text)
