"""A story place's prediction as analysis/next_token.json holds it, of a run or of a published result. No torch, no
weights, no corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sevenepochs.store.run import layout, storage

_FILE = f"{layout.ANALYSIS}/next_token.json"


def published_place(folder: Path, row: int, position: int, k: int) -> dict[str, Any] | None:
    """The prediction at a place with its top k, or None where the folder does not hold it.

    Args:
        folder: of a run or of a result.

    Raises:
        UserError: the file is there and damaged.
    """
    for place in _places(folder):
        if (place["row"], place["position"]) == (row, position) and len(place["top"]) >= k:
            return {**place, "top": place["top"][:k]}
    return None


def published_places(folder: Path) -> list[tuple[int, int, int]]:
    """What the folder holds: (row, position, number of tokens in its top)."""
    return [(place["row"], place["position"], len(place["top"])) for place in _places(folder)]


def _places(folder: Path) -> list[dict[str, Any]]:
    file = folder / _FILE
    if not file.is_file():
        return []
    with storage.damage(file, "analyse or publish the run again"):
        places = json.loads(file.read_text(encoding="utf-8"))["places"]
        for place in places:
            place["row"], place["position"], place["top"][0]["probability"], place["truth"]["rank"], place["context"]
    return list(places)
