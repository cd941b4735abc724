"""Memorisation: is the loss lower on validation titles that occur in training, and by more than they are easier?

Titles that come back ("Ask HN: Who is hiring?") are also short and formulaic, so a lower loss alone shows nothing. The
control is a table of token pairs counted in the same training titles, which can remember pairs but no title: what
counts is the model's loss as a ratio to the table's, on known titles and on new ones. No torch.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sevenepochs.analysis.title_kinds import Breakdown, Kind, normalised
from sevenepochs.analysis.where_loss import Targets

_TIMES_EDGES = (2, 4, 10)
_TIMES_KINDS = (
    Kind("1", "once"),
    Kind("2_to_3", "2–3 times"),
    Kind("4_to_9", "4–9 times"),
    Kind("from_10", "10 and more"),
)


def analyze(
    log_probs_N: np.ndarray,
    pair_log_probs_N: np.ndarray,
    where: Targets,
    known: Breakdown,
    training_titles: Sequence[str],
) -> dict[str, Any]:
    """Loss on known and on new titles beside the pair table's.

    Args:
        pair_log_probs_N: ln p of each target by `PairTable`.
        known: the breakdown of that name from `title_kinds`.

    Returns:
        `kinds` (word for word, near, new) and `times` (how often a known title's words occur in training), each a list
        of rows with `n_titles`, `n_chars`, `nats_per_char`, `pair_nats_per_char`, `ratio_to_pairs`;
        `exact_val_loss`, `exact_val_loss_of_new` (over titles that are in training in no form), and
        `n_duplicates_in_training`.
    """
    nats, pair_nats = where.by_title(-log_probs_N), where.by_title(-pair_log_probs_N)
    n_chars = where.n_chars

    def row(kind: Kind, inside: np.ndarray) -> dict[str, Any]:
        chars = int(n_chars[inside].sum())
        loss, pair_loss = (math.fsum(values[inside]) / chars for values in (nats, pair_nats))
        return {
            "name": kind.name,
            "label": kind.label,
            "n_titles": int(inside.sum()),
            "n_chars": chars,
            "nats_per_char": loss,
            "pair_nats_per_char": pair_loss,
            "ratio_to_pairs": loss / pair_loss,
        }

    def rows(kinds: Sequence[Kind], of_title: np.ndarray) -> list[dict[str, Any]]:
        return [row(kind, of_title == i) for i, kind in enumerate(kinds) if (of_title == i).any()]

    times = collections.Counter(map(normalised, training_titles))
    times_of_title = np.array([times[normalised(title)] for title in where.titles])
    times_kind = np.where(times_of_title > 0, np.searchsorted(_TIMES_EDGES, times_of_title, side="right"), -1)
    kinds = rows(known.kinds, known.of_title)
    return {
        "exact_val_loss": math.fsum(nats) / int(n_chars.sum()),
        "exact_val_loss_of_new": next((row["nats_per_char"] for row in kinds if row["name"] == "new"), None),
        "n_duplicates_in_training": len(training_titles) - len(set(training_titles)),
        "kinds": kinds,
        "times": rows(_TIMES_KINDS, times_kind),
    }
