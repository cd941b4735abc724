"""Identity of titles: hashes of the split, and the dataset versions that we recognise.

The challenge never pinned its dataset's revision, so two versions are in circulation and results on them differ.
NumPy does not promise its generators' streams for ever (NEP 19), hence the hash of the titles and not of the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import Split, char_count, split_titles
from sevenepochs.store.run import Run

STAND_IN_SHA256_PREFIX = "af05a4766408394d"
HUB_LICENCE = "CC BY-NC-SA 4.0"


class KnownVersion(NamedTuple):
    """A version of the challenge's dataset, and what is publicly known of it.

    Attributes:
        n_rows: least and most rows that we accept.
        first_validation: how the validation split begins; empty where nobody published it.
        validation_chars: least and most characters of the joined validation text.
    """

    name: str
    revision: str
    n_rows: tuple[int, int]
    first_validation: tuple[str, ...]
    validation_chars: tuple[int, int]


# Row and character counts of 2023 were published rounded ("4.01 M", "532-534 k"): its titles are the sharp test.
KNOWN_VERSIONS = (
    KnownVersion(
        "2023",
        "9e21b0f3c36bd7ce50b741ce966297a7f73cae38",
        (4_000_000, 4_020_000),
        (
            "Motorola Xoom commercial reminiscent of Apple's infamous jab at IBM",
            "OpenSSH Key Shielding",
            "Contextual Word Representations: A Contextual Introduction (2020)",
            "Windows 8 Should Be Free",
        ),
        (530_000, 536_000),
    ),
    KnownVersion("2026", "d210f96ddcc592f324c3108dd1d7b7edc03ca788", (828_133, 828_133), (), (562_970, 562_970)),
)


def titles_sha256(titles: Iterable[str]) -> str:
    """Return the sha256 over, for each title, its length in bytes, ":", its UTF-8 and a newline.

    The lengths make it injective: no two different lists of titles are the same bytes.
    """
    digest = hashlib.sha256()
    for title in titles:
        encoded = title.encode()
        digest.update(b"%d:%s\n" % (len(encoded), encoded))
    return digest.hexdigest()


def file_sha256(paths: Iterable[Path]) -> str:
    """Return the sha256 of the files' bytes, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()


def fingerprint(split: Split) -> dict[str, Any]:
    """Return hashes, counts and characters (`<eos>` included) of both splits. Equal validation titles make runs
    comparable; two equal splits make them seeds of one recipe."""
    return {
        "train_titles_sha256": titles_sha256(split.train),
        "validation_titles_sha256": titles_sha256(split.validation),
        "n_train": len(split.train),
        "n_validation": len(split.validation),
        "train_chars": char_count(split.train),
        "validation_chars": char_count(split.validation),
    }


def check_same_titles(run: Run, split_facts: dict[str, Any]) -> None:
    """Raise a UserError unless the `fingerprint` is that of the split that the run was started on."""
    own = run.corpus.get("split") or {}
    for key, value in split_facts.items():
        if own.get(key) != value:
            what = "facts" if key == "facts_sha256" else "titles"
            raise UserError(f"run {run.name} has other {what} than this corpus gives; pass its own with --corpus")


def mismatches(known: KnownVersion, rows: Sequence[str]) -> list[str]:
    """Return what in these rows is not as in the known version, one line each; empty when it is that version."""
    if found := _outside(known, "rows", known.n_rows, len(rows)):
        return found  # the permutation depends on the number of rows, so every later test would fail as well
    validation = split_titles(rows).validation
    begins = validation[: len(known.first_validation)]
    if begins != known.first_validation:
        found.append(
            f"the validation titles of version {known.name} begin {known.first_validation[0]!r}, "
            f"this corpus's begin {begins[0]!r}"
        )
    return found + _outside(known, "validation characters", known.validation_chars, char_count(validation))


def _outside(known: KnownVersion, what: str, bounds: tuple[int, int], n: int) -> list[str]:
    low, high = bounds
    expected = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return [] if low <= n <= high else [f"version {known.name} has {expected} {what}, this corpus {n:,}"]


def recognise(rows: Sequence[str], file_sha256_hex: str) -> str | None:
    """Return "stand-in", "2023" or "2026" when the corpus is that version, else None."""
    if file_sha256_hex.startswith(STAND_IN_SHA256_PREFIX):
        return "stand-in"
    return next((known.name for known in KNOWN_VERSIONS if not mismatches(known, rows)), None)
