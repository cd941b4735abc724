"""A loaded corpus (titles in file order, and facts about their source) and the config that loads one.

`split()` cuts a corpus by the protocol's rule, `protocol.budget.split_titles`. Only development titles are cut
otherwise (development.py); they choose but never report.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sevenepochs.config import Config
from sevenepochs.data import check_text
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import Split, split_titles

DEFAULT_COLUMN = "title"
MAX_TITLE_CHARS = 10_000  # real titles have at most some 150; a longer one means the file is not what it seems


class Floor(NamedTuple):
    """The least loss that a model which knew the true distribution would get on these very titles.

    Attributes:
        value_nats_per_char: -(sum of ln p(title)) / L, L as the metric counts it (each `<eos>` is 5 characters).
        standard_error: of that ratio, over titles, in the same unit.
    """

    value_nats_per_char: float
    standard_error: float


def add_floor(figures: dict[str, float | None], floor: Floor | None) -> None:
    """Add floor and excess to the figures of an evaluation, where the corpus's distribution is known."""
    if floor is not None and figures["exact_val_loss"] is not None:
        figures["floor_val_loss"] = floor.value_nats_per_char
        figures["excess_val_loss"] = figures["exact_val_loss"] - floor.value_nats_per_char


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Raw titles in file order; a null title is the empty text.

    Attributes:
        name: short and safe in file names, e.g. "hub2023", "hn_titles", "sample".
        source: facts that may be published: no folder names. Always has `kind`, `file`, `file_sha256`, `n_rows`,
            `revision`, `licence`, `recognised` and `warnings`.
        floor_of: titles, and their facts where the model is told them -> Floor, where the distribution that made the
            titles is known; else None.
        split_of: rows -> Split: the protocol's rule, but for development titles.
        facts_of: column -> its values as text, "" for none, in the order of the titles of `split`; None: it has none.
    """

    name: str
    rows: Sequence[str]
    source: dict[str, Any]
    floor_of: Callable[..., Floor] | None = dataclasses.field(default=None, compare=False, repr=False)
    split_of: Callable[[Sequence[str]], Split] = dataclasses.field(default=split_titles, compare=False, repr=False)
    facts_of: Callable[[str], Split] | None = dataclasses.field(default=None, compare=False, repr=False)

    def split(self) -> Split:
        """Return training and validation titles."""
        return self.split_of(self.rows)

    def facts(self, column: str) -> Split:
        """Return a column's values as text, "" for none, for the titles of `split` in their order.

        Raises:
            UserError: there is no such column, or it holds several values per title.
        """
        if self.facts_of is None:
            raise UserError(f"{self.name} has titles alone, so there is no fact {column!r} beside them")
        return self.facts_of(column)

    def floor(self, validation_titles: Sequence[str], facts: Sequence[str] | None = None) -> Floor | None:
        """Return the floor on these titles, or None where nobody knows the true distribution (every real corpus).

        Args:
            facts: the fact beside each title, for a model that is told it.
        """
        told = () if facts is None else (facts,)
        return None if self.floor_of is None else self.floor_of(validation_titles, *told)


Announce = Callable[[str], None]  # told what is being done, where that takes time


def to_stderr(message: str) -> None:
    """The default for `announce`: a 426 MB download should not start silently, nor disturb stdout."""
    print(message, file=sys.stderr, flush=True)


@dataclasses.dataclass(frozen=True)
class CorpusConfig(Config, ABC):
    """Where the titles come from."""

    @abstractmethod
    def load(self, announce: Announce = to_stderr) -> Corpus:
        """Read all titles.

        Args:
            announce: told, in one line each, of downloads before they start and of anything unexpected.

        Raises:
            UserError: anything the user can mend.
        """

    def to_fetch(self) -> str | None:
        """Return what `--corpus` takes to fetch these titles, e.g. "hub --revision 2023", where `load` would download
        them first; else None."""
        return None


def check_title(title: str, where: str) -> str:
    """Return the title itself, or raise a UserError where it cannot be one: too long, a NUL, half a surrogate pair.

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
    """Raise a UserError when all titles are equal: validation would repeat training."""
    first = rows[0].strip() if len(rows) > 1 else None
    if first is not None and all(title.strip() == first for title in rows):
        raise UserError(
            f"{where}: all {len(rows):,} titles are {first[:40]!r}; a corpus of one title cannot be split into "
            "training and validation; is this the right column?"
        )


def slug(text: str) -> str:
    """Return `text` as a part of a file name: letters, digits, `_` and `-`, at most 40."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:40] or "corpus"
