"""Facts beside titles: what a reader of the list sees before a title, such as the link's domain and the date.

A fact's value is a number: 0 not told, 1 none (a post without a link), 2 other, then the most frequent values of the
training titles. All facts of a title are one number, its code, and travel in the `<eos>` that opens the title:

    id = eos_id + vocab_size * code        code = number_1 + size * number_2 + size**2 * number_3 ...

So they follow the title wherever it goes, no row gets longer, and a stream without facts is one where none is told.

N titles.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from sevenepochs.data.corpus.base import Corpus
from sevenepochs.errors import UserError, nearest
from sevenepochs.protocol.budget import EOS, Split

NOT_TOLD, NONE, OTHER = range(3)
_KNOWN_FROM = OTHER + 1
_KINDS = ("link", "time", "value")
_BY_NAME = {"url": "link", "link": "link", "time": "time", "date": "time", "created_at": "time"}
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])(?!\d)")
_FIRST_SECOND = 1e8  # in 1973; a smaller number is no time


class Column(NamedTuple):
    """A fact: the column's name and what its cells are, "link", "time" or "value"."""

    name: str
    kind: str

    @classmethod
    def parse(cls, text: str) -> Column:
        """Return what "url" or "posted:time" means: url, link, time, date and created_at say themselves what they hold.

        Raises:
            UserError: an unknown kind.
        """
        name, colon, kind = text.partition(":")
        if colon and kind not in _KINDS:
            raise UserError(f"fact {text!r}: {kind!r} is no kind of column{nearest(kind, list(_KINDS))}")
        return cls(name, kind or _BY_NAME.get(name, "value"))

    def value(self, cell: str) -> str:
        """Return a link's registrable domain, a time's year and month, any other cell itself; "" for none, and where a
        link or time cannot be read."""
        if self.kind == "link":
            return domain(cell)
        return month(cell) if self.kind == "time" else cell


@functools.lru_cache(maxsize=100_000)
def domain(link: str) -> str:
    """Return the domain that the link's owner registered, "bbc.co.uk" for "https://www.bbc.co.uk/news"; "" where there
    is none. Of github.io and others that lend names below theirs, it is their own: a name per author is too rare."""
    try:
        host = urlsplit(link if "//" in link else f"//{link}").hostname or ""
    except ValueError:
        return ""
    if " " in host or host.rpartition(".")[2].isdigit():  # an address in numbers
        return ""
    return _public_suffixes().privatesuffix(host.rstrip(".")) or ""


@functools.cache
def _public_suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(only_icann=True)


def month(time: str) -> str:
    """Return "2016-05" for a text that begins so, or for Unix time in seconds or milliseconds; "" for all else."""
    if found := _MONTH.match(time):
        return found[0]
    try:
        seconds = float(time)
        seconds /= 1000 if seconds > 1e11 else 1
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m}" if seconds >= _FIRST_SECOND else ""
    except (ValueError, OverflowError, OSError):
        return ""


def read_values(corpus: Corpus, column: Column) -> Split:
    """Return a fact's value for each title of the corpus's split.

    Raises:
        UserError: there is no such column, or not one of its cells can be read as what it is to hold.
    """
    cells = corpus.facts(column.name)
    values = Split(*(tuple(map(column.value, part)) for part in (cells.train, cells.validation)))
    if not any(values.train):
        example = next(filter(None, cells.train), None)
        held = "nothing" if example is None else f"no {column.kind}, e.g. {example[:40]!r}"
        raise UserError(
            f"{corpus.name}: column {column.name!r} holds {held}; name another with --facts, or its kind: "
            f"{column.name}:value"
        )
    return values


def describe_facts(corpus: Corpus, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return for each column its `column`, `kind`, and over the training titles `share_none`, `n_values` and the 5 most
    `frequent` values with their counts. Raises as `read_values`."""
    described = []
    for column in map(Column.parse, columns):
        values = read_values(corpus, column).train
        counts = Counter(filter(None, values))
        counted = {"share_none": values.count("") / len(values), "n_values": len(counts)}
        described.append({"column": column.name, "kind": column.kind, **counted, "frequent": counts.most_common(5)})
    return described


@dataclasses.dataclass(frozen=True)
class FactTable:
    """The values that a run knows by name.

    Attributes:
        columns: as they are asked for, e.g. ("url", "posted:time").
        size: numbers per fact; known values are 3 fewer.
        known: of each column, the most frequent first.
    """

    columns: tuple[str, ...]
    size: int
    known: tuple[tuple[str, ...], ...]

    @classmethod
    def count(cls, columns: Sequence[str], size: int, values: Sequence[Sequence[str]]) -> FactTable:
        """Return the table of the most frequent values, equally frequent ones by name.

        Args:
            values: of the training titles, per column.
        """
        counts = [Counter(filter(None, of_column)) for of_column in values]
        ranked = [sorted(one, key=lambda value, one=one: (-one[value], value)) for one in counts]  # type: ignore[misc]
        return cls(tuple(columns), size, tuple(tuple(some[: size - _KNOWN_FROM]) for some in ranked))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FactTable:
        """Inverse of `dataclasses.asdict`, from JSON."""
        return cls(tuple(data["columns"]), data["size"], tuple(map(tuple, data["known"])))

    def codes(self, values: Sequence[Sequence[str] | None]) -> np.ndarray:
        """Return each title's code, int64 (N,), from the values per column; a column of None is not told."""
        n = len(next(one for one in values if one is not None))
        codes_N = np.zeros(n, dtype=np.int64)
        for place, (known, of_column) in enumerate(zip(self.known, values, strict=True)):
            if of_column is not None:
                numbers = {"": NONE} | {value: _KNOWN_FROM + rank for rank, value in enumerate(known)}
                codes_N += self.size**place * np.array([numbers.get(value, OTHER) for value in of_column])
        return codes_N

    def numbers(self, codes_N: np.ndarray, column: int) -> np.ndarray:
        """Return the number of one fact in each code."""
        return codes_N // self.size**column % self.size

    def code(self, told: Mapping[str, str]) -> int:
        """Return the code of facts by the column's name; "" tells that there is none, and what is absent is not told.

        Raises:
            UserError: a fact that the run does not know, or a link or time that cannot be read.
        """
        columns = {column.name: column for column in map(Column.parse, self.columns)}
        for name in told:
            if name not in columns:
                raise UserError(f"--facts {name}=...: this run is told other facts{nearest(name, list(columns))}")
        values: list[list[str] | None] = []
        for name, column in columns.items():
            value = column.value(told[name].strip()) if name in told else None
            if value == "" and told[name].strip():
                example = {"link": "arxiv.org", "time": "2016-05"}[column.kind]
                raise UserError(f"--facts {name}={told[name][:60]}: no {column.kind}; write e.g. {name}={example}")
            values.append(None if value is None else [value])
        return int(self.codes(values)[0]) if told else NOT_TOLD


class TitleFacts(NamedTuple):
    """The facts of a split's titles. `codes`: of training and of validation titles, int64."""

    table: FactTable
    codes: tuple[np.ndarray, np.ndarray]

    @classmethod
    def read(cls, corpus: Corpus, columns: Sequence[str], size: int, table: FactTable | None = None) -> TitleFacts:
        """Read the columns and number their values, by a run's own table where it is given. Raises as `read_values`."""
        values = [read_values(corpus, Column.parse(column)) for column in columns]
        table = table or FactTable.count(columns, size, [one.train for one in values])
        return cls(table, (table.codes([one.train for one in values]), table.codes([one.validation for one in values])))

    @property
    def sha256(self) -> str:
        """Hash of all codes."""
        return hashlib.sha256(b"".join(codes.tobytes() for codes in self.codes)).hexdigest()


def opened(
    ids_N: np.ndarray, eos_id: int, vocab_size: int, codes: np.ndarray, titles: Sequence[str]
) -> tuple[np.ndarray, int]:
    """Return a stream with each title's code in the `<eos>` before it, int64, and the `<eos>` before the first title.

    A title that holds the literal text `<eos>` is several in the stream, and each is told the title's facts.
    """
    ends = np.flatnonzero(ids_N == eos_id)
    if len(ends) != len(titles):
        codes = np.repeat(codes, [1 + title.count(EOS) for title in titles])
    assert len(ends) == len(codes), "each title ends in one <eos>"
    told_N = ids_N.astype(np.int64)
    told_N[ends[:-1]] += vocab_size * codes[1:]
    return told_N, eos_id + vocab_size * int(codes[0])
