"""A loaded corpus (titles in file order, plus facts about where they came from) and the config that loads one.

A corpus knows nothing of tokens; `split()` cuts it by the protocol's rule, `protocol.budget.split_titles`, which lives
in one place. Only development titles (development.py), which choose but never report, are cut otherwise.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sevenepochs.config import Config
from sevenepochs.data import check_text
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import Split, split_titles

DEFAULT_COLUMN = "title"
MAX_TITLE_CHARS = 10_000  # real titles have at most some 150; a longer one means the file is not what it seems


@dataclasses.dataclass(frozen=True)
class Floor:
    """The least loss that a model which knew the true distribution would get on these very titles.

    Attributes:
        value_nats_per_char: -(sum of ln p(title)) / L, L as the metric counts it (each `<eos>` is 5 characters).
        standard_error: of that ratio, over titles, in the same unit.
    """

    value_nats_per_char: float
    standard_error: float


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Raw titles in file order; a null title is the empty text.

    Attributes:
        name: short and safe in file names, e.g. "hub2023", "hn_titles", "sample".
        source: facts that may be published: no folder names. Always has `kind`, `file`, `file_sha256`, `n_rows`,
            `revision`, `licence`, `recognised` and `warnings`.
        floor_of: titles -> Floor, where the distribution that made the titles is known; else None.
        split_of: rows -> Split: the protocol's rule, but for development titles.
    """

    name: str
    rows: Sequence[str]
    source: dict[str, Any]
    floor_of: Callable[[Sequence[str]], Floor] | None = dataclasses.field(default=None, compare=False, repr=False)
    split_of: Callable[[Sequence[str]], Split] = dataclasses.field(default=split_titles, compare=False, repr=False)

    def split(self) -> Split:
        """Training and validation titles."""
        return self.split_of(self.rows)

    def floor(self, validation_titles: Sequence[str]) -> Floor | None:
        """The floor on these titles, or None where nobody knows the true distribution (every real corpus)."""
        return None if self.floor_of is None else self.floor_of(validation_titles)


def to_stderr(message: str) -> None:
    """The default for `announce`: a 426 MB download should not start silently, nor disturb what stdout carries."""
    print(message, file=sys.stderr, flush=True)


@dataclasses.dataclass(frozen=True)
class CorpusConfig(Config, ABC):
    """Where the titles come from. Subclasses: HubCorpus, FileCorpus, SampleCorpus."""

    @abstractmethod
    def load(self, announce: Callable[[str], None] = to_stderr) -> Corpus:
        """Read all titles.

        Args:
            announce: told, in one line each, of downloads before they start and of anything unexpected.

        Raises:
            UserError: anything the user can mend.
        """

    def to_fetch(self) -> str | None:
        """What `--corpus` takes to fetch these titles, e.g. "hub --revision 2023", where `load` would have to download
        them first; None where it reads what is on this machine."""
        return None


def check_title(title: str, where: str) -> str:
    """The title itself, or a UserError where it cannot be one: too long, a NUL, or half a surrogate pair.

    Args:
        where: file and line or row, for the message.
    """
    if len(title) > MAX_TITLE_CHARS:
        raise UserError(
            f"{where}: the title has {len(title):,} characters, more than {MAX_TITLE_CHARS:,}; "
            "is this the right column, and is there one title per line?"
        )
    if "\0" in title:
        raise UserError(f"{where}: the title contains a NUL character; remove it")
    return check_text(title, f"{where}: the title")


def refuse_constant(rows: Sequence[str], where: str) -> None:
    """Raise a UserError when all titles are one and the same: validation would only ask for what training said."""
    titles: Iterable[str] = (title.strip() for title in rows)
    first = next(iter(titles), None)
    if first is not None and len(rows) > 1 and all(title == first for title in titles):
        raise UserError(
            f"{where}: all {len(rows):,} titles are {first[:40]!r}; a corpus of one title cannot be split into "
            "training and validation; is this the right column?"
        )


def slug(text: str) -> str:
    """`text` as a part of a file name: letters, digits, `_` and `-`, at most 40."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:40] or "corpus"
