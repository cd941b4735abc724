"""The content of a corpus as plain JSON values; the command line renders it."""

from __future__ import annotations

import collections
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from sevenepochs.data.corpus.base import Corpus
from sevenepochs.data.corpus.fingerprint import fingerprint
from sevenepochs.metrics import format_metric
from sevenepochs.protocol.budget import EOS, Split, split_titles

SPECIAL_TEXTS = ("<pad>", EOS, "<unk>")  # the stock tokenizer's; in a title, they would be read as the token
_DOUBTFUL_SHARE = 0.1  # real titles: 1.5 % of the stand-in's validation titles are in training, one title is empty
_WORD = re.compile(r"\w+(?:['’]\w+)*")


def describe(corpus: Corpus) -> dict[str, Any]:
    """Return counts, lengths, overlaps and words of the titles that the protocol uses (at most 100,000 of the rows).

    Words are counted in training titles only: the validation titles are not for looking at.

    Raises:
        UserError: fewer than 10 titles.
    """
    split = split_titles(corpus.rows)
    titles = split.train + split.validation
    floor = corpus.floor(split.validation)
    return {
        "name": corpus.name,
        "n_rows": len(corpus.rows),
        "n_titles_used": len(titles),
        **fingerprint(split),
        "title_chars": lengths(np.array([len(title) for title in titles])),
        **(counts := empty_and_seen(split)),
        "share_validation_titles_in_train": counts["n_validation_titles_in_train"] / len(split.validation),
        "n_duplicates_in_train": len(split.train) - len(set(split.train)),
        "n_titles_with_special_text": sum(any(text in title for text in SPECIAL_TEXTS) for title in titles),
        "frequent_train_words": frequent_words(split.train),
        "recognised": corpus.source["recognised"],
        "licence": corpus.source["licence"],
        "source": corpus.source,
        "floor_nats_per_char": floor.value_nats_per_char if floor else None,
        "floor_standard_error": floor.standard_error if floor else None,
        "entropy_rate_nats_per_char": corpus.source.get("entropy_rate_nats_per_char"),
    }


def lengths(values: np.ndarray) -> dict[str, float]:
    """Return least, median, mean, 95th percentile (by nearest rank) and most of integers: (n,)."""
    ordered = np.sort(values)
    return {
        "min": int(ordered[0]),
        "median": float(np.median(ordered)),
        "mean": float(ordered.mean()),
        "p95": int(ordered[-(-95 * len(ordered) // 100) - 1]),
        "max": int(ordered[-1]),
    }


def empty_and_seen(split: Split) -> dict[str, int]:
    """Return `n_empty_titles` of both splits, and `n_validation_titles_in_train`: those that training has word for
    word, so that a model could know them by heart."""
    known = set(split.train)
    return {
        "n_empty_titles": sum(not title for title in (*split.train, *split.validation)),
        "n_validation_titles_in_train": sum(title in known for title in split.validation),
    }


def doubts(split: Split) -> list[str]:
    """Return a line for each reason to doubt what a loss on this split means: a tenth of its titles is empty, or of its
    validation titles is in training."""
    n_empty, n_known = empty_and_seen(split).values()
    n_validation = len(split.validation)
    n_titles = len(split.train) + n_validation
    found = []
    if (share := n_empty / n_titles) >= _DOUBTFUL_SHARE:
        found.append(
            f"{n_empty:,} of {n_titles:,} titles are empty ({format_metric('share', share)}) and count in every "
            "figure; is this the right column?"
        )
    if (share := n_known / n_validation) >= _DOUBTFUL_SHARE:
        found.append(
            f"{n_known:,} of {n_validation:,} validation titles are in training word for word "
            f"({format_metric('share', share)}): the loss also measures what is known by heart"
        )
    return found


def frequent_words(titles: Sequence[str]) -> list[tuple[str, int]]:
    """Return the 20 most frequent words, whatever their case, and how often they occur; ties by word."""
    counts = collections.Counter(word for title in titles for word in _WORD.findall(title.lower()))
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20]
