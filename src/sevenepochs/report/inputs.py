"""The inputs of a report: published results, run folders, or folders of results. Each is read whole before a page is
written, so that a broken one stops the build under its name. No torch."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError
from sevenepochs.store.publishing import publish
from sevenepochs.store.results import Result, is_result, list_results
from sevenepochs.store.run import Run, layout, storage
from sevenepochs.store.title_losses import TitleLosses
from sevenepochs.store.token_losses import TokenLosses

_AGAIN = "publish the run again"


def collect(paths: Sequence[Path], scratch: Path) -> list[Result]:
    """Return the results at `paths`, in order, each once.

    Args:
        paths: folders of results (results/), folders of one result, or run folders.
        scratch: where run folders are turned into results; made when needed.

    Raises:
        UserError: a path that is none of these, a broken or incomplete one, or two different results of one name.
    """
    found: dict[str, Published] = {}
    for path in paths:
        for result in _results_at(path, scratch):
            published = Published.read(result)
            other = found.setdefault(result.name, published)
            if other.digest != published.digest:
                names = f"{path} and {other.result.path}"
                raise UserError(f"{names} are two results called {result.name}; name one of them")
    return [published.result for published in found.values()]


def _results_at(path: Path, scratch: Path) -> list[Result]:
    if (path / layout.RUN).is_file():
        return [Result.read(publish(Run(path), scratch))]
    if is_result(path):
        return [Result.read(path)]
    if not path.is_dir():
        raise UserError(f"{path} does not exist; name a run folder, a result, or a folder of results")
    for curve in sorted(path.glob("*/curve.csv")):
        if not is_result(curve.parent):
            raise UserError(f"{curve.parent} has a curve but no result.json; {_AGAIN}")
    if results := list_results(path):
        return results
    raise UserError(f"{path} holds no result.json and no {layout.RUN}; publish a run first: sevenepochs publish last")


@dataclass(frozen=True)
class Published:
    """A result with every file of its folder read.

    Attributes:
        curve: as `read_curve` returns it.
        certificate: certificate.json.
        analyses: analysis/<name>.json by name.
    """

    result: Result
    curve: tuple[dict[str, Any], ...]
    certificate: dict[str, Any]
    analyses: dict[str, Any]

    @classmethod
    def read(cls, result: Result) -> Published:
        """Read a result. Raises UserError: a file of its folder is missing or damaged."""
        folder = _folder(result)
        certificate = _object(folder / "certificate.json", "rules")
        analyses = {file.stem: _object(file) for file in sorted((folder / "analysis").glob("*.json"))}
        return cls(result, read_curve(result), certificate, analyses)

    @property
    def folder(self) -> Path:
        """The result's folder."""
        return _folder(self.result)

    @cached_property
    def digest(self) -> str:
        """A hash of all content, 12 hex digits: two results of one name differ in it."""
        content = [self.result.facts.to_json(), self.curve, self.certificate, self.analyses]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def title_losses(self) -> TitleLosses | None:
        """`Result.title_losses`, read once."""
        return self.result.title_losses()

    @cached_property
    def token_losses(self) -> TokenLosses | None:
        """`Result.token_losses`, read once."""
        return self.result.token_losses()

    @property
    def places(self) -> list[dict[str, Any]]:
        """The places that `next_token` was asked about; empty where it was not."""
        places: list[dict[str, Any]] = self.analyses.get("next_token", {}).get("places", [])
        return places

    def place(self, row: int, position: int) -> dict[str, Any] | None:
        """Return the prediction at one place of the validation stream; None where it was not analysed."""
        return next((p for p in self.places if (p["row"], p["position"]) == (row, position)), None)


def read_curve(result: Result) -> tuple[dict[str, Any], ...]:
    """Return the rows of a published result's curve.csv: `step` a whole number, `event` "training" or "evaluation",
    absent figures None. Raises UserError: the file is missing, damaged, or holds no evaluation."""
    file = _folder(result) / "curve.csv"
    with storage.damage(file, _AGAIN):
        rows = [
            {key: value if key == "event" else float(value) if value else None for key, value in row.items()}
            | {"step": int(row["step"])}
            for row in csv.DictReader(storage.read_text(file, str(file), _AGAIN).splitlines())
        ]
    if not evaluations(rows):
        raise UserError(f"{file} holds no evaluation; {_AGAIN}")
    return tuple(rows)


def evaluations(curve: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a curve that are evaluations."""
    return [row for row in curve if row["event"] == "evaluation"]


def _object(file: Path, *keys: str) -> dict[str, Any]:
    with storage.damage(file, _AGAIN):
        data = json.loads(storage.read_text(file, str(file), _AGAIN))
        if not isinstance(data, dict) or any(key not in data for key in keys):
            raise ValueError("not the object it should be")
    return data


def _folder(result: Result) -> Path:
    assert result.path is not None, "published results have a folder"
    return result.path
