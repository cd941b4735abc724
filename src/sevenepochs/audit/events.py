"""The events of a log, one at a time: JSON lines of any size and origin, plain or gz, read with bounded memory.

Nothing in a log is trusted: lines may be cut, endless, of another encoding or no JSON at all, numbers may be text.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from sevenepochs.errors import UserError

MAX_LINE_CHARS = 1_000_000
# Unpacked; what comes after is left unread, and the report says so. A stock log has 1,000 lines and 170 kB.
MAX_CHARS = 512 * 1024 * 1024
MAX_LINES = 4_000_000
_LARGEST = 1e15  # no count or time in a log is larger


@dataclass
class ReadNotes:
    """What was met on the way; complete once the events are read."""

    lines: int = 0
    not_json: int = 0
    overlong: int = 0
    truncated_last_line: bool = False
    unreadable_rest: str | None = None
    cut_at_limit: bool = False


def read_events(path: Path, notes: ReadNotes) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, event) for each line that is a JSON object with an `event` name; the rest is counted in `notes`.

    Raises:
        UserError: the file cannot be opened or read at all.
    """
    try:
        with path.open("rb") as raw:
            yield from _events(raw, notes)
    except OSError as error:
        raise UserError(f"{clean(str(path))} cannot be read: {error.strerror or error}") from None


def _events(raw: BinaryIO, notes: ReadNotes) -> Iterator[tuple[int, dict[str, Any]]]:
    head = raw.read(4)
    raw.seek(0)
    binary: BinaryIO = raw
    if head.startswith(b"\x1f\x8b"):
        binary = cast(BinaryIO, gzip.GzipFile(fileobj=raw))
        try:
            head = binary.read(4)
            binary.seek(0)
        except (OSError, EOFError, zlib.error) as error:
            notes.unreadable_rest = str(error)
            return
    encoding = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    # newline=None reads \n, \r\n and \r alike
    text = io.TextIOWrapper(binary, encoding=encoding, errors="replace", newline=None)
    for number, line in _lines(text, notes):
        if (event := _parse(line, notes)) is not None:
            yield number, event


def _lines(text: TextIO, notes: ReadNotes) -> Iterator[tuple[int, str]]:
    read_chars = 0
    in_overlong = False
    while True:
        try:
            line = text.readline(MAX_LINE_CHARS)
        except (OSError, EOFError, zlib.error, UnicodeError) as error:
            notes.unreadable_rest = str(error)
            return
        if not line:
            return
        read_chars += len(line)
        if read_chars > MAX_CHARS or notes.lines >= MAX_LINES:
            notes.cut_at_limit = True
            return
        is_whole = line.endswith("\n")
        notes.truncated_last_line = False
        if not in_overlong:
            notes.lines += 1
        if in_overlong or (len(line) >= MAX_LINE_CHARS and not is_whole):
            notes.overlong += not in_overlong
            in_overlong = not is_whole
            continue
        if not is_whole:
            notes.truncated_last_line = True  # unless it parses: then only its line end is missing
        yield notes.lines, line


def _parse(line: str, notes: ReadNotes) -> dict[str, Any] | None:
    line = line.strip(" \t\r\n\0")
    if not line:
        notes.truncated_last_line = False
        return None
    try:
        event = json.loads(line) if line.startswith("{") else None
    except (ValueError, RecursionError):
        event = None
    if isinstance(event, dict) and isinstance(event.get("event"), str):
        notes.truncated_last_line = False
        return event
    if not (notes.truncated_last_line and line.startswith("{")):
        notes.truncated_last_line = False
        notes.not_json += 1
    return None


def number(value: Any) -> float | None:
    """A loss as logged: NaN and infinities included, also where they are text; None where there is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > 40:
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.inf if isinstance(value, int) else None


def whole(value: Any) -> int | None:
    """A count as logged; None for what cannot be one."""
    found = number(value)
    return int(found) if found is not None and 0 <= found <= _LARGEST and found == int(found) else None


def clean(text: str, limit: int = 200) -> str:
    """Text from outside, safe to print anywhere: printable characters only, not too many."""
    shown = "".join(c if c.isprintable() else "?" for c in text[: limit + 1].encode("utf-8", "replace").decode())
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
