"""A corpus from a file: parquet, csv, tsv, jsonl, json, or txt (one title per line), all but parquet also gzipped."""

from __future__ import annotations

import dataclasses
import difflib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from sevenepochs.data.corpus import parquet, text
from sevenepochs.data.corpus.base import (
    DEFAULT_COLUMN,
    Announce,
    Corpus,
    CorpusConfig,
    refuse_constant,
    slug,
    to_stderr,
)
from sevenepochs.data.corpus.fingerprint import HUB_LICENCE, file_sha256, recognise
from sevenepochs.errors import UserError, nearest
from sevenepochs.protocol.budget import Split, split_titles

_TEXT_KINDS = {"csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "ndjson": "jsonl", "json": "json", "txt": "txt"}
_KNOWN = "hub, sample, or a file that ends in .parquet, .csv, .jsonl, .txt, .tsv or .json, all but the first also .gz"
_CONTROLS = "[\x80-\x9f]"


@dataclasses.dataclass(frozen=True)
class FileCorpus(CorpusConfig, kind="file"):
    """Titles of one file.

    Attributes:
        path: as the user gave it.
        column: None for "title"; txt files have no columns.
        encoding: of a text file, a name that Python knows; None for UTF-8.
    """

    path: str
    column: str | None = None
    encoding: str | None = None

    def load(self, announce: Announce = to_stderr) -> Corpus:
        """Read the file. Raises UserError for anything that is not a list of at least two different titles."""
        _refuse_url(self.path)
        path = Path(self.path)
        kind = _kind(path)
        column = None if kind == "txt" else self.column or DEFAULT_COLUMN
        if kind == "txt" and self.column is not None:
            raise UserError(f"{path.name}: a txt file has no columns, so leave --column {self.column} out")
        if kind == "parquet" and self.encoding is not None:
            raise UserError(f"{path.name}: parquet holds UTF-8, so leave --encoding {self.encoding} out")
        try:
            _check_readable(path)
            rows, warnings = _read(path, kind, column or DEFAULT_COLUMN, self.encoding)
            sha256 = file_sha256([path])
        except OSError as error:
            raise UserError(f"{path.name} cannot be read: {error.strerror or error}; check its permissions") from None
        if not any(title.strip() for title in rows):
            raise UserError(f"{path.name} contains no titles; at least 10 are needed")
        refuse_constant(rows, path.name)
        for warning in warnings:
            announce(warning)
        recognised = recognise(rows, sha256)
        source = {
            "kind": "file",
            "file": path.name,
            "file_sha256": sha256,
            "column": column,
            "n_rows": len(rows),
            "revision": None,
            "licence": HUB_LICENCE if recognised in ("2023", "2026") else None,
            "recognised": recognised,
            "warnings": warnings,
        }
        stem = path.name.rsplit(".", 2 if path.suffix.lower() == ".gz" else 1)[0]
        return Corpus(slug(stem), rows, source, facts_of=None if kind == "txt" else self._facts)

    def _facts(self, column: str) -> Split:
        path = Path(self.path)
        if (kind := _kind(path)) == "parquet":
            return split_titles(parquet.read_facts([path], column))
        return split_titles(text.read_facts(path, kind, column, self.encoding))


def _read(path: Path, kind: str, column: str, encoding: str | None) -> tuple[Sequence[str], list[str]]:
    rows: Sequence[str]
    warnings: list[str] = []
    if kind == "parquet":
        rows = titles = parquet.read_parquet([path], column)
        n_controls = titles.n_matching(_CONTROLS)
    else:
        rows, warnings = text.read_text(path, kind, column, encoding)
        n_controls = sum(re.search(_CONTROLS, title) is not None for title in rows)
    if n_controls:
        warnings.append(
            f"{path.name}: {n_controls:,} titles hold C1 control characters (U+0080 to U+009F), which Windows-1252 "
            "read as Latin-1 leaves; read the original file with --encoding cp1252"
        )
    return rows, warnings


def _refuse_url(path: str) -> None:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
        return
    if path.startswith("file://"):
        raise UserError(f"--corpus {path}: give the path alone, --corpus {shlex.quote(path.removeprefix('file://'))}")
    name = shlex.quote(path.split("?")[0].rstrip("/").rpartition("/")[2] or "titles.txt")
    fetch = f": curl -L -o {name} {shlex.quote(path)}" if path.startswith("http") else ""
    raise UserError(
        f"--corpus {path} is a URL, and files are read from this machine only; fetch it first{fetch}, "
        f"then --corpus {name}"
    )


def _kind(path: Path) -> str:
    """The format that the extension names; guessing from the content would accept what we cannot check."""
    is_gzip = path.suffix.lower() == ".gz"
    extension = (path.with_suffix("") if is_gzip else path).suffix.lower().removeprefix(".")
    kind = "parquet" if extension == "parquet" and not is_gzip else _TEXT_KINDS.get(extension)
    if kind is not None:
        return kind
    _refuse_folder(path)
    what = "has no extension that we know" if path.exists() else "is neither a file nor a known name"
    close = difflib.get_close_matches(path.name.partition(":")[0], ("hub", "sample"), n=1)
    hint = f"did you mean {close[0]}? Give" if close and not path.exists() else "give"
    raise UserError(f"--corpus {path.name or path} {what}; {hint} {_KNOWN}")


def _check_readable(path: Path) -> None:
    _refuse_folder(path)
    if not path.exists():
        hint = "; the folder does not exist either" + ("" if path.is_absolute() else f", seen from {Path.cwd()}")
        if path.parent.is_dir():
            close = [entry.name for entry in sorted(path.parent.iterdir()) if entry.suffix == path.suffix]
            hint = nearest(path.name, close[:10]) if close else ""
        raise UserError(f"--corpus {path} does not exist{hint}")
    if not path.is_file():
        raise UserError(f"{path.name} is not a regular file; write its content to one first")
    if path.stat().st_size == 0:
        raise UserError(f"{path.name} is empty; at least 10 titles are needed")


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        files = sorted(entry.name for entry in path.iterdir() if entry.suffix[1:] in ("parquet", *_TEXT_KINDS))
        example = files[0] if files else "titles.txt"
        raise UserError(f"{path.name or path} is a folder; give one file in it, e.g. {example}")
