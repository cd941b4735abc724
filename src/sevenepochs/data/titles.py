"""Kinds of titles: the one definition that every breakdown by title uses. No torch.

A breakdown sorts *all* titles into kinds, each title into exactly one, so that sums over its kinds are sums over the
titles. A title may be of one kind in several breakdowns (an Ask HN with digits), never of two in the same one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sevenepochs.protocol.budget import EOS

LENGTH_EDGES_CHARS = (30, 45, 60, 75)  # the site's own limit is 80

_PREFIX = re.compile(r"(show|ask|tell|launch)\s+hn\b", re.IGNORECASE)
_YEAR = re.compile(r"\((?:1[5-9]|20)\d\d\)")
_TAG = re.compile(r"\[(pdf|video)\]", re.IGNORECASE)
_DIGIT = re.compile(r"[0-9]")
_WORD = re.compile(r"\w+")


def title_chars(titles: Sequence[str]) -> np.ndarray:
    """Return the characters of each title and its `<eos>`, as the metric counts them: (titles,)."""
    return np.array([len(title) + len(EOS) for title in titles])


class Kind(NamedTuple):
    """`name` is the key in JSON and never changes its meaning; `label` is for people."""

    name: str
    label: str


class Breakdown(NamedTuple):
    """`of_title[i]` is the index into `kinds` of title i, as an int64 array of shape (titles,)."""

    name: str
    label: str
    kinds: tuple[Kind, ...]
    of_title: np.ndarray


def break_down(titles: Sequence[str], training_titles: Collection[str]) -> tuple[Breakdown, ...]:
    """Return every breakdown of the titles: prefix, year, tag, digits, question, length, known.

    Args:
        titles: stripped, as the protocol's split gives them.
        training_titles: what the model was trained on; `known` says which titles it met there.
    """
    return (
        _sorted(titles, "prefix", "how the title begins", _PREFIX_KINDS, _prefix),
        _sorted(titles, "year", "year in brackets", _YEAR_KINDS, lambda t: 0 if _YEAR.search(t) else 1),
        _sorted(titles, "tag", "tag in square brackets", _TAG_KINDS, _tag),
        _sorted(titles, "digits", "digits", _DIGIT_KINDS, lambda t: 0 if _DIGIT.search(t) else 1),
        _sorted(titles, "question", "question", _QUESTION_KINDS, lambda t: 0 if t.endswith("?") else 1),
        _sorted(titles, "length", "length of the title", _LENGTH_KINDS, _length),
        known(titles, training_titles),
    )


def known(titles: Sequence[str], training_titles: Collection[str]) -> Breakdown:
    """Return whether each title occurs in training: word for word, as a near-duplicate, or not."""
    exact = set(training_titles)
    normal = {normalised(title) for title in exact}

    def kind_of(title: str) -> int:
        return 0 if title in exact else (1 if normalised(title) in normal else 2)

    return _sorted(titles, "known", "occurs in training", _KNOWN_KINDS, kind_of)


def normalised(title: str) -> str:
    """Return the title as its words alone: compatibility forms folded, lower case, without years in brackets, tags and
    punctuation. Two titles that agree in it are near-duplicates; one without any word stands for itself."""
    folded = unicodedata.normalize("NFKC", title).casefold()
    words = _WORD.findall(_TAG.sub(" ", _YEAR.sub(" ", folded)))
    return " ".join(words) or title


_PREFIXES = ("show", "ask", "tell", "launch", "other")
_PREFIX_KINDS = (
    *(Kind(f"{word}_hn", f"{word.capitalize()} HN") for word in _PREFIXES[:-1]),
    Kind("other", "anything else"),
)
_YEAR_KINDS = (Kind("with", "with a year, as in (2015)"), Kind("without", "without"))
_TAG_KINDS = (Kind("pdf", "[pdf]"), Kind("video", "[video]"), Kind("none", "neither"))
_TAGS = ("pdf", "video", "none")
_DIGIT_KINDS = (Kind("with", "with digits"), Kind("without", "without"))
_QUESTION_KINDS = (Kind("question", "ends in ?"), Kind("other", "does not"))
_LENGTH_KINDS = (
    *(Kind(f"{low}_to_{high - 1}", f"{low}–{high - 1} characters") for low, high in pairwise((0, *LENGTH_EDGES_CHARS))),
    Kind(f"from_{LENGTH_EDGES_CHARS[-1]}", f"{LENGTH_EDGES_CHARS[-1]} and more"),
)
_KNOWN_KINDS = (
    Kind("word_for_word", "word for word"),
    Kind("near", "but for case, punctuation, year or tag"),
    Kind("new", "does not"),
)


def _prefix(title: str) -> int:
    found = _PREFIX.match(title)
    return _PREFIXES.index(found[1].lower() if found else "other")


def _tag(title: str) -> int:
    found = _TAG.search(title)
    return _TAGS.index(found[1].lower() if found else "none")


def _length(title: str) -> int:
    return int(np.searchsorted(LENGTH_EDGES_CHARS, len(title), side="right"))


def _sorted(
    titles: Sequence[str], name: str, label: str, kinds: tuple[Kind, ...], kind_of: Callable[[str], int]
) -> Breakdown:
    return Breakdown(name, label, kinds, np.fromiter(map(kind_of, titles), dtype=np.int64, count=len(titles)))
