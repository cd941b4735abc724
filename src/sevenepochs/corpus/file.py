"""A corpus from a file: parquet, csv, jsonl, or txt (one title per line), the last three also gzipped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from sevenepochs.corpus.base import DEFAULT_COLUMN, Corpus, CorpusConfig, refuse_constant, slug, to_stderr
from sevenepochs.corpus.fingerprint import LICENCES, file_sha256, recognise
from sevenepochs.errors import UserError, nearest

_TEXT_KINDS = ("csv", "jsonl", "txt")


@dataclasses.dataclass(frozen=True)
class FileCorpus(CorpusConfig, kind="file"):
    """Titles of one file.

    Attributes:
        path: as the user gave it.
        column: None for "title"; txt files have no columns.
    """

    path: str
    column: str | None = None

    def load(self, announce: Callable[[str], None] = to_stderr) -> Corpus:
        """Read the file. Raises UserError for anything that is not a list of at least two different titles."""
        path = Path(self.path)
        kind = _kind(path)
        if kind == "txt" and self.column is not None:
            raise UserError(f"{path.name}: a txt file has no columns, so leave --column {self.column} out")
        try:
            _check_readable(path)
            rows, warnings = _read(path, kind, self.column or DEFAULT_COLUMN)
            sha256 = file_sha256([path])
        except OSError as error:
            raise UserError(f"{path.name} cannot be read: {error.strerror or error}; check its permissions") from None
        if not rows:
            raise UserError(f"{path.name} contains no titles; at least 10 are needed")
        refuse_constant(rows, path.name)
        for warning in warnings:
            announce(warning)
        recognised = recognise(rows, sha256)
        source = {
            "kind": "file",
            "file": path.name,
            "file_sha256": sha256,
            "column": None if kind == "txt" else self.column or DEFAULT_COLUMN,
            "n_rows": len(rows),
            "revision": None,
            "licence": LICENCES.get(recognised or ""),
            "recognised": recognised,
            "warnings": warnings,
        }
        return Corpus(slug(_stem(path)), rows, source)


def _read(path: Path, kind: str, column: str) -> tuple[Sequence[str], list[str]]:
    if kind == "parquet":
        from sevenepochs.corpus.parquet import read_parquet

        return read_parquet([path], column), []
    from sevenepochs.corpus.text import read_text

    return read_text(path, kind, column)


def _kind(path: Path) -> str:
    """The format that the extension names; guessing from the content would accept what we cannot check."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"] and "".join(suffixes[-2:-1])[1:] in _TEXT_KINDS:
        return suffixes[-2][1:]
    kind = "".join(suffixes[-1:])[1:]
    if kind in ("parquet", *_TEXT_KINDS):
        return kind
    if path.is_dir():
        raise UserError(f"{path.name or path} is a folder; give one file in it, e.g. {_example(path)}")
    known = "hub, sample, or a file that ends in .parquet, .csv, .jsonl, .txt, .csv.gz, .jsonl.gz or .txt.gz"
    what = "has no extension that we know" if path.exists() else "is neither a file nor a known name"
    raise UserError(f"--corpus {path.name or path} {what}; give {known}")


def _check_readable(path: Path) -> None:
    if path.is_dir():
        raise UserError(f"{path.name} is a folder; give one file in it, e.g. {_example(path)}")
    if not path.exists():
        hint = "; the folder does not exist either"
        if path.parent.is_dir():
            close = [entry.name for entry in sorted(path.parent.iterdir()) if entry.suffix == path.suffix]
            hint = nearest(path.name, close[:10]) if close else ""
        raise UserError(f"{path} does not exist{hint}")
    if not path.is_file():
        raise UserError(f"{path.name} is not a regular file; write its content to one first")
    if path.stat().st_size == 0:
        raise UserError(f"{path.name} is empty; at least 10 titles are needed")


def _example(folder: Path) -> str:
    files = sorted(entry.name for entry in folder.iterdir() if entry.suffix in (".parquet", ".csv", ".jsonl", ".txt"))
    return files[0] if files else "titles.txt"


def _stem(path: Path) -> str:
    name = path.name.lower()
    cut = 2 if name.endswith(".gz") else 1
    return path.name.rsplit(".", cut)[0]
