"""What the model reads: lengths, words, tokens and kinds of the training titles. No torch.

Only training titles are counted: the validation titles are not for looking at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sevenepochs.data.corpus.describe import frequent_words
from sevenepochs.data.titles import break_down
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.questions.token_frequency import most_frequent

_MAX_BARS = 40


def analyze(titles: Sequence[str], tokenizer: Tokenizer, train_ids: np.ndarray) -> dict[str, Any]:
    """The training split in numbers.

    Args:
        train_ids: the titles' stream, as `Tokenizer.encode_stream` gives it.

    Returns:
        `n_titles`, `n_tokens`, `eos_share`, `chars_per_token` (titles' text without `<eos>`), `vocabulary` (`size`,
        `used`, `used_once`), `title_chars` and `title_tokens` (`min`, `median`, `mean`, `p95`, `max`, `histogram` with
        `width` and `counts` from 0 on), `words` and `tokens` (the most frequent), `kinds` (breakdowns with the share of
        titles of each kind).
    """
    counts_V = np.bincount(train_ids, minlength=tokenizer.vocab_size)
    chars = np.array([len(title) for title in titles])
    ends = np.flatnonzero(train_ids == tokenizer.eos_id)
    tokens = np.diff(ends, prepend=-1) - 1
    frequent = most_frequent(tokenizer, train_ids)
    n_text_tokens = len(train_ids) - len(ends)
    return {
        "n_titles": len(titles),
        "n_tokens": len(train_ids),
        "eos_share": frequent["eos_share"],
        "chars_per_token": float(chars.sum() / max(1, n_text_tokens)),
        "vocabulary": {
            "size": tokenizer.vocab_size,
            "used": int((counts_V > 0).sum()),
            "used_once": int((counts_V == 1).sum()),
        },
        "title_chars": _lengths(chars),
        "title_tokens": _lengths(tokens),
        "words": [{"word": word, "count": count} for word, count in frequent_words(titles)],
        "tokens": frequent["top"],
        "kinds": [
            {
                "name": b.name,
                "label": b.label,
                "parts": [
                    {"name": kind.name, "label": kind.label, "n_titles": int(n), "share": float(n / len(titles))}
                    for kind, n in zip(b.kinds, np.bincount(b.of_title, minlength=len(b.kinds)), strict=True)
                    if n
                ],
            }
            for b in break_down(titles, ())
            if b.name != "known"
        ],
    }


def _lengths(values: np.ndarray) -> dict[str, Any]:
    """Summary and histogram; p95 by nearest rank. The last bar holds whatever is longer."""
    ordered = np.sort(values)
    width = max(1, -(-int(np.percentile(ordered, 99.5)) // _MAX_BARS))
    return {
        "min": int(ordered[0]),
        "median": float(np.median(ordered)),
        "mean": float(ordered.mean()),
        "p95": int(ordered[-(-95 * len(ordered) // 100) - 1]),
        "max": int(ordered[-1]),
        "histogram": {
            "width": width,
            "counts": np.bincount(np.minimum(ordered // width, _MAX_BARS)).tolist(),
        },
    }
