"""Titles of text files (txt, csv, jsonl, each also gzipped), read a bounded line at a time.

Every complaint names the file, the line and the remedy: these files are made by hand, and by hand they are mended.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from sevenepochs.corpus.base import MAX_TITLE_CHARS, check_title
from sevenepochs.errors import UserError, nearest

MAX_LINE_BYTES = 1_000_000  # a line may carry other columns beside the title, but never has to fill the memory
_MAX_NAMES_SHOWN = 20


def read_text(path: Path, kind: str, column: str) -> tuple[list[str], list[str]]:
    """Titles of a text file, and warnings about blank lines that were left out.

    Args:
        kind: "txt", "csv" or "jsonl".
        column: which title; not used by txt.

    Raises:
        UserError: corrupt gzip, not UTF-8, a NUL, a line too long, bad csv or JSON, or a title that is not text.
    """
    titles: list[str] = []
    n_blank = 0
    gzipped = path.suffix.lower() == ".gz"
    with cast(IO[bytes], gzip.open(path, "rb")) if gzipped else path.open("rb") as stream:
        lines = _decoded_lines(stream, path.name)
        if kind == "csv":
            found = _csv_titles(lines, path.name, column)
        elif kind == "jsonl":
            found = _jsonl_titles(lines, path.name, column)
        else:
            found = _txt_titles(lines, path.name)
        for title in found:
            if title is None:
                n_blank += 1
            else:
                titles.append(title)
    return titles, [f"{path.name}: {n_blank:,} blank lines were left out"] if n_blank else []


def _decoded_lines(stream: IO[bytes], name: str) -> Iterator[str]:
    """Lines with their endings. Only a newline ends a line: `str.splitlines` would also cut at U+2028 and others."""
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(MAX_LINE_BYTES + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(
                f"{name}, line {number:,}: the gzip data is damaged or cut short ({error}); fetch or compress it again"
            ) from None
        if not line:
            return
        if len(line) > MAX_LINE_BYTES:
            raise UserError(
                f"{name}, line {number:,}: longer than {MAX_LINE_BYTES:,} bytes; a title may have {MAX_TITLE_CHARS:,} "
                "characters, so is there one title per line?"
            )
        if b"\0" in line:
            raise UserError(
                f"{name}, line {number:,}: contains a NUL byte, so it is not UTF-8 text; save the file as UTF-8"
            )
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise UserError(
                f"{name}, line {number:,}, byte {error.start + 1}: not UTF-8 (0x{line[error.start]:02x}); "
                "save the file as UTF-8, e.g. with iconv -f latin1 -t utf-8"
            ) from None


def _txt_titles(lines: Iterator[str], name: str) -> Iterator[str | None]:
    for number, line in enumerate(lines, 1):
        title = line.rstrip("\r\n")
        yield check_title(title, f"{name}, line {number:,}") if title.strip() else None


def _jsonl_titles(lines: Iterator[str], name: str, column: str) -> Iterator[str | None]:
    for number, line in enumerate(lines, 1):
        where = f"{name}, line {number:,}"
        if not line.strip():
            yield None
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: not JSON ({error}); a jsonl file has one JSON object per line") from None
        if not isinstance(record, dict):
            raise UserError(f'{where}: {line.strip()[:40]!r} is not a JSON object like {{"{column}": "..."}}')
        if column not in record:
            raise UserError(f"{where}: no {column!r}{_nearest(column, list(record))} (--column NAME)")
        title = record[column]
        if title is not None and not isinstance(title, str):
            raise UserError(f"{where}: {column!r} is {str(title)[:40]!r}, not text; put it in quotes")
        yield check_title(title or "", where)


def _csv_titles(lines: Iterator[str], name: str, column: str) -> Iterator[str | None]:
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        if column not in header:
            raise UserError(f"{name}, line 1: no column {column!r}{_nearest(column, header)} (--column NAME)")
        index = header.index(column)
        for record in reader:
            where = f"{name}, line {reader.line_num:,}"
            if not record:
                yield None
                continue
            if len(record) != len(header):
                raise UserError(
                    f"{where}: {len(record)} fields where the header has {len(header)}; "
                    "put quotes around text that contains commas"
                )
            yield check_title(record[index], where)
    except csv.Error as error:
        raise UserError(
            f"{name}, line {reader.line_num:,}: bad csv ({error}); is a quote left open, or not doubled?"
        ) from None


def _nearest(column: str, names: list[str]) -> str:
    return nearest(column, [name[:40] for name in names[:_MAX_NAMES_SHOWN]])
