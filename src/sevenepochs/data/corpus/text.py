"""Titles of text files (txt, csv, tsv, jsonl, json, each also gzipped), lines read a bounded length at a time.

Messages name the file, the line and the remedy, because people make and mend these files by hand.

An empty title is a title in every format: an empty field, a null, an empty line of a txt file. So the same titles in
two formats are the same corpus. Only a line without a record is left out: a blank one of a jsonl file, or of a csv file
with several columns.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sevenepochs.data.corpus.base import check_title
from sevenepochs.data.corpus.encoding import TextFile
from sevenepochs.errors import UserError, nearest

_BLANK = object()  # a line without a record
_DELIMITERS = (",", ";", "\t", "|")
_JSON_ADVICE = (
    'give one array of objects, or one object per line, each with one title (pandas writes them with orient="records")'
)


def read_text(path: Path, kind: str, column: str, encoding: str | None = None) -> tuple[list[str], list[str]]:
    """Return the titles of a text file, and warnings about blank lines.

    Args:
        kind: "txt", "csv", "tsv", "jsonl" or "json".
        column: which title; not used by txt.
        encoding: a name that Python knows; None for UTF-8.

    Raises:
        UserError: corrupt gzip, not in that encoding, a NUL, a line too long, bad csv or JSON, or a title that is not
            text.
    """
    file, name = TextFile(path, encoding), path.name
    if kind == "txt":
        titles = [check_title(line.rstrip("\r\n"), where) for where, line in _numbered(file.lines(), f"{name}, line")]
        n_blank, done = sum(not title.strip() for title in titles), "read as empty titles"
    else:
        records = _records(file, name, kind, _Wanted(column, "--column NAME", _title))
        titles = [title for title in records if title is not None]
        n_blank, done = len(records) - len(titles), "left out"
    return titles, [f"{name}: {n_blank:,} blank lines were {done}"] if n_blank else []


def read_facts(path: Path, kind: str, column: str, encoding: str | None = None) -> list[str]:
    """Return another column's values as text, one for each title of `read_text`; the empty text where there is none.

    Raises:
        UserError: as `read_text`; or a column of lists or objects, or none of that name.
    """
    wanted = _Wanted(column, "--facts NAME", _fact, may_lack=True)
    return [value for value in _records(TextFile(path, encoding), path.name, kind, wanted) if value is not None]


class _Wanted(NamedTuple):
    """A column, the option that names it, and how its values are read (value, place, column). `may_lack`: whether a
    JSON object may do without it, as posts without a link do."""

    column: str
    option: str
    read: Callable[[Any, str, str], str]
    may_lack: bool = False


def _title(value: Any, where: str, column: str) -> str:
    if isinstance(value, dict | list):
        raise UserError(f"{where}: {column!r} holds several values; {_JSON_ADVICE}")
    if value is not None and not isinstance(value, str):
        raise UserError(f"{where}: {column!r} is {str(value)[:40]!r}, not text; put it in quotes")
    return check_title(value or "", where)


def _fact(value: Any, where: str, column: str) -> str:
    if isinstance(value, dict | list):
        raise UserError(f"{where}: {column!r} holds several values, so it is no fact; name another with --facts")
    return "" if value is None else str(value)


def _records(file: TextFile, name: str, kind: str, wanted: _Wanted) -> list[str | None]:
    """The wanted column; None for a line without a record."""
    if kind == "tsv":
        return _tsv_column(file, name, wanted)
    if kind == "csv":
        return list(_csv_column(file.lines(), name, wanted))
    return [_field(record, where, wanted) for where, record in _json_records(file, name)]


def _numbered(rows: Iterable[Any], what: str) -> Iterator[tuple[str, Any]]:
    for number, row in enumerate(rows, 1):
        yield f"{what} {number:,}", row


def _json_records(file: TextFile, name: str) -> Iterator[tuple[str, Any]]:
    """The objects of an array or of lines, each with its place."""
    beginning = file.beginning()
    if beginning.startswith("{") and not beginning.split("\n", 1)[0].strip("{ \t\r"):
        raise UserError(f"{name} is one JSON object over several lines; {_JSON_ADVICE}")
    if re.match(r"\[\s*\{", beginning):
        text = "".join(file.lines(longest=-1))
        try:
            array = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{name}: not JSON ({error}); {_JSON_ADVICE}") from None
        yield from _numbered(array, f"{name}, entry")
        return
    for where, line in _numbered(file.lines(), f"{name}, line"):
        try:
            record = json.loads(line) if line.strip() else _BLANK
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: not JSON ({error}); a jsonl file has one JSON object per line") from None
        yield where, record


def _field(record: Any, where: str, wanted: _Wanted) -> str | None:
    column = wanted.column
    if record is _BLANK:
        return None
    if not isinstance(record, dict):
        shown = json.dumps(record, ensure_ascii=False)[:40]
        raise UserError(f'{where}: {shown!r} is not a JSON object like {{"{column}": "..."}}')
    if column not in record and not wanted.may_lack:
        raise UserError(f"{where}: no {column!r}{_nearest(column, list(record))} ({wanted.option})")
    return wanted.read(record.get(column), where, column)


def _tsv_column(file: TextFile, name: str, wanted: _Wanted) -> list[str | None]:
    """The column of a file that quotes as csv does (spreadsheets, pandas), or else, where no quote in it is doubled, of
    one that quotes nothing (databases, IANA's tsv)."""
    try:
        return list(_csv_column(file.lines(), name, wanted, "\t"))
    except UserError:
        if not any('""' in line for line in file.lines()):
            with contextlib.suppress(UserError):
                return list(_csv_column(file.lines(), name, wanted, "\t", csv.QUOTE_NONE))
        raise


def _csv_column(
    lines: Iterator[str],
    name: str,
    wanted: _Wanted,
    delimiter: str | None = None,
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL,
) -> Iterator[str | None]:
    """`delimiter`: None for the one that the header shows."""
    column = wanted.column
    first = next(lines, "")
    delimiter = delimiter or _delimiter(first, column)
    reader = csv.reader(itertools.chain([first], lines), strict=True, delimiter=delimiter, quoting=quoting)
    try:
        header = next(reader, [])
        if column not in header:
            raise UserError(f"{name}, line 1: no column {column!r}{_nearest(column, header)} ({wanted.option})")
        if header.count(column) > 1:
            raise UserError(f"{name}, line 1: {header.count(column)} columns are called {column!r}; rename all but one")
        index = header.index(column)
        for record in reader:
            where = f"{name}, line {reader.line_num:,}"
            if not record:
                yield "" if len(header) == 1 else None  # an empty field, where there is one field
                continue
            if len(record) != len(header):
                what = {",": "commas", ";": "semicolons", "\t": "tabs"}.get(delimiter, delimiter)
                raise UserError(
                    f"{where}: {len(record)} fields where the header has {len(header)}; "
                    f"put quotes around text that contains {what}"
                )
            yield wanted.read(record[index], where, column)
    except csv.Error as error:
        raise UserError(
            f"{name}, line {reader.line_num:,}: bad csv ({error}); is a quote left open, or not doubled?"
        ) from None


def _delimiter(header: str, column: str) -> str:
    """Return the comma unless the header has this column under another delimiter only; where none gives the column, the
    one that gives the most names."""
    names = {delimiter: _cut(header, delimiter) for delimiter in _DELIMITERS}
    having = [delimiter for delimiter in _DELIMITERS if column in names[delimiter]]
    return having[0] if having else max(_DELIMITERS, key=lambda delimiter: len(names[delimiter]))


def _cut(header: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([header], strict=True, delimiter=delimiter), [])
    except csv.Error:  # e.g. a header over several lines
        return []


def _nearest(column: str, names: list[str]) -> str:
    return nearest(column, [name[:40] for name in names[:20]])
