"""Lines of text in a named encoding, and a guess at what a file is that is not in it.

Tests follow the advice of each message to its end: the encoding that it names decodes the file, and the command that it
gives makes a file that is read.
"""

from __future__ import annotations

import codecs
import gzip
import io
import itertools
import shlex
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from sevenepochs.data.corpus.base import MAX_TITLE_CHARS
from sevenepochs.errors import UserError

MAX_LINE_BYTES = 1_000_000  # a line may carry other columns beside the title, but never has to fill the memory
_GZIP = b"\x1f\x8b"
_FORMATS = (  # UTF-32's mark before UTF-16's, with which it begins
    (_GZIP, "is gzip data; give it that name: mv {name} {name}.gz"),
    (codecs.BOM_UTF32_LE, "begins with ff fe 00 00, so it is UTF-32 and not UTF-8; add --encoding utf-32"),
    (codecs.BOM_UTF16_LE, "begins with ff fe, so it is UTF-16 and not UTF-8; add --encoding utf-16"),
    (codecs.BOM_UTF16_BE, "begins with fe ff, so it is UTF-16 and not UTF-8; add --encoding utf-16"),
    (b"PK\x03\x04", "is a zip archive (an xlsx is one): unpack it, or save the sheet as csv"),
    (b"PAR1", "is parquet: let its name end in .parquet"),
    (b"BZh", "is bzip2: unpack it with bunzip2"),
    (b"\xfd7zXZ", "is xz: unpack it with unxz"),
    (b"\x28\xb5\x2f\xfd", "is zstd: unpack it with unzstd"),
)
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
_OWN_ENCODING = "name the file's own encoding with --encoding, or leave it out for UTF-8"
# Western text has a few bytes above 0x7f per line; where they are the most of it, it is another alphabet's
_WESTERN_SHARE = 1 / 3


class TextFile:
    """A text file, also gzipped (by its name, which ends in .gz).

    Errors name the file and the line, and the encoding or the format that the bytes look like.
    """

    def __init__(self, path: Path, encoding: str | None) -> None:
        """Raises UserError where Python knows no text encoding of that name."""
        try:
            "".encode(encoding or "utf-8")
        except (LookupError, ValueError):
            raise UserError(
                f"--encoding {encoding}: no text encoding of that name; give e.g. utf-8, cp1252, utf-16, shift_jis"
            ) from None
        self._path = path
        self._encoding = codecs.lookup(encoding or "utf-8").name
        self._head = b""  # of the content
        self._has_utf8 = False  # some line before was UTF-8 beyond ASCII

    def lines(self, longest: int = MAX_LINE_BYTES) -> Iterator[str]:
        """Yield the lines with their endings. Only a newline ends a line: `str.splitlines` would also cut at U+2028
        and others.

        Args:
            longest: bytes that a line may have; -1 for any number.

        Raises:
            UserError: damaged gzip data, a line too long, a NUL, or bytes that are not in the encoding.
        """
        # where a newline is the byte 0x0a, bytes are cut into lines before they are decoded
        by_bytes = "\n".encode(self._encoding).removeprefix(codecs.BOM_UTF8) == b"\n"
        with self._open() as stream:
            source: Any = stream if by_bytes else io.TextIOWrapper(stream, encoding=self._encoding, newline="\n")
            for number in itertools.count(1):
                try:
                    line = source.readline(longest + 1 if longest >= 0 else -1)
                except _DAMAGED as error:
                    raise self._damaged(number, error) from None
                except UnicodeError as error:  # utf-16 without its mark raises the plain one
                    raise UserError(
                        f"{self._path.name}, line {number:,} or soon after: not {self._encoding} "
                        f"({getattr(error, 'reason', error)}); {_OWN_ENCODING}"
                    ) from None
                if not line:
                    return
                if 0 <= longest < len(line):
                    raise UserError(
                        f"{self._path.name}, line {number:,}: longer than {longest:,} bytes; a title may have "
                        f"{MAX_TITLE_CHARS:,} characters, so is there one title per line?"
                    )
                text = self._decoded(number, line) if by_bytes else line
                if "\0" in text:
                    raise UserError(f"{self._path.name}, line {number:,}: contains a NUL character; remove it")
                yield text.removeprefix("\ufeff") if number == 1 else text

    def beginning(self) -> str:
        """Return some first characters, blanks before them left out, for telling formats apart.

        Raises:
            UserError: damaged gzip data.
        """
        with self._open() as stream:
            try:
                data = stream.read(4096)
            except _DAMAGED as error:
                raise self._damaged(1, error) from None
        return codecs.getincrementaldecoder(self._encoding)("replace").decode(data).lstrip("\ufeff \t\r\n")

    def _open(self) -> IO[bytes]:
        is_gzip = self._path.suffix.lower() == ".gz"
        return cast(IO[bytes], gzip.open(self._path, "rb")) if is_gzip else self._path.open("rb")

    def _decoded(self, number: int, line: bytes) -> str:
        self._head = self._head or line[:8]
        where = f"{self._path.name}, line {number:,}"
        if b"\0" in line:
            advice = self._other_format() or _utf16_without_mark(line)
            advice = advice or "so it is not UTF-8 text; save the file as UTF-8, or name its encoding with --encoding"
            raise UserError(f"{where}: contains a NUL byte; {advice}")
        try:
            text = line.decode(self._encoding)
        except UnicodeDecodeError as error:
            name = "UTF-8" if self._encoding == "utf-8" else self._encoding
            at = f"byte {error.start + 1}: not {name} (0x{line[error.start]:02x})"
            raise UserError(f"{where}, {at}; {self._other_format() or self._other_encoding(line)}") from None
        self._has_utf8 |= not line.isascii()
        return text

    def _damaged(self, number: int, error: Exception) -> UserError:
        with self._path.open("rb") as stream:
            is_gzip = stream.read(len(_GZIP)) == _GZIP
        advice = "compress it again" if is_gzip else "it is not gzip: leave .gz out of its name"
        what = f"the gzip data is damaged or cut short ({error})"
        return UserError(f"{self._path.name}, line {number:,}: {what}; {advice}, or fetch it again")

    def _other_format(self) -> str | None:
        """The format that the file's first bytes show, and what to do; None where they show none."""
        found = next((advice for mark, advice in _FORMATS if self._head.startswith(mark)), None)
        return f"the file {found.format(name=shlex.quote(self._path.name))}" if found else None

    def _other_encoding(self, line: bytes) -> str:
        if self._encoding != "utf-8":
            return _OWN_ENCODING
        if self._has_utf8:
            return "lines before it are UTF-8, so this one is damaged: mend or delete it"
        n_high = sum(byte > 0x7F for byte in line)
        try:
            line.decode("cp1252")
        except UnicodeDecodeError:
            n_high = len(line)
        if n_high > _WESTERN_SHARE * len(line):
            return "name its encoding with --encoding, e.g. cp1251, shift_jis or gb18030, or save the file as UTF-8"
        return "it is likely Windows-1252: add --encoding cp1252, or save it as UTF-8 (iconv -f cp1252 -t utf-8)"


def _utf16_without_mark(line: bytes) -> str | None:
    for encoding, zeros in (("utf-16-le", line[1::2]), ("utf-16-be", line[::2])):
        if zeros.count(0) > len(zeros) / 2:
            return f"it is likely UTF-16 without a mark, and not UTF-8; add --encoding {encoding}"
    return None
