"""Where a paired difference comes from: by kind of title, and by place in the title. No torch.

Both answer several questions at once, so their intervals are simultaneous (Bonferroni): all of a table's intervals hold
together with 95 %, and a part may be called better or worse when its own interval excludes 0.
By kind, the intervals are over titles, at equal seeds averaged; parts of one breakdown add up to the whole.
By place, tokens are sorted by the characters that they start at, so that different tokenizers compare.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sevenepochs.comparison.compare import Pair
from sevenepochs.comparison.paired import LEVEL, Interval, linear_intervals
from sevenepochs.data.titles import title_chars
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EOS
from sevenepochs.store.run import Run, layout
from sevenepochs.store.title_losses import TitleLosses

PLACE_EDGES_CHARS = (0, 1, 10, 20, 30, 40, 60)
END = "the end of the title"


@dataclass(frozen=True)
class Part:
    """One kind of title or one place in them.

    Attributes:
        value: the difference there: nats per character of the kind's own titles, or, by place, its contribution to the
            difference as a whole (contributions add up to it).
        share: of the whole difference's nats; None where that is next to nothing.
        interval: simultaneous over all parts of the table; None with fewer than two titles.
    """

    breakdown: str
    name: str
    n_titles: int
    value: float | None
    share: float | None
    interval: Interval | None


def by_kind(first: Sequence[TitleLosses], second: Sequence[TitleLosses]) -> list[Part]:
    """Return the difference within each kind of title; empty where the kinds are not known.

    Args:
        first, second: paired, one entry per seed.
    """
    groupings, chars_n = first[0].groupings or second[0].groupings, first[0].n_chars
    nats_n = np.mean([b.nats - a.nats for a, b in zip(first, second, strict=True)], axis=0)
    level = 1 - (1 - LEVEL) / max(1, sum(len(grouping.kinds) for grouping in groupings.values()))
    parts = []
    for grouping in groupings.values():
        for index, kind in enumerate(grouping.kinds):
            inside = grouping.of_title == index
            nats_m, chars_m = nats_n[inside], chars_n[inside]
            [interval] = linear_intervals(nats_m[:, None], chars_m, level)
            value = float(nats_m.sum() / chars_m.sum()) if len(chars_m) else None
            share = _share(nats_m, nats_n) if len(chars_m) else None
            parts.append(Part(grouping.label, kind, len(chars_m), value, share, interval))
    return parts


def by_place(pair: Pair, titles: Sequence[str]) -> list[Part]:
    """Return the difference by where in its title a token starts, in characters; the closing `<eos>` is the end.

    Args:
        titles: the validation titles of both.

    Raises:
        UserError: a run folder is missing (published results have no losses by token).
    """
    edges = PLACE_EDGES_CHARS
    inner = [f"{low} to {high - 1}" if high - low > 1 else f"{low}" for low, high in itertools.pairwise(edges)]
    labels = [*inner, f"{edges[-1]} and more", END]
    chars_n = title_chars(titles)
    sums = []
    for a, b in pair.runs:
        if a.run is None or b.run is None:
            raise UserError("losses by token are in run folders only; name runs, not published results")
        sums.append(_by_place(b.run, titles) - _by_place(a.run, titles))
    nats_nP = np.mean(sums, axis=0)
    intervals = linear_intervals(nats_nP, chars_n, 1 - (1 - LEVEL) / len(labels))
    n_titles = [int((chars_n - len(EOS) > edge).sum()) for edge in edges]
    values_P = nats_nP.sum(axis=0) / chars_n.sum()
    return [
        Part("characters before the token", label, n, float(value), _share(nats_n, nats_nP), interval)
        for label, n, value, nats_n, interval in zip(
            labels, [*n_titles, len(titles)], values_P, nats_nP.T, intervals, strict=True
        )
    ]


def _by_place(run: Run, titles: Sequence[str]) -> np.ndarray:
    """Nats (titles, places) of a run; the last place is the end."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(run.read_text(layout.TOKENIZER))
    log_probs_N = run.load_tensors(layout.TITLE_LOSSES)[layout.LOG_PROBS]
    n_places = len(PLACE_EDGES_CHARS) + 1
    places, owners = [], []
    for index, encoding in enumerate(tokenizer.encode_batch(list(titles))):
        starts = np.array([start for start, _ in encoding.offsets], dtype=np.int64)
        places.append(np.append(np.searchsorted(PLACE_EDGES_CHARS, starts, side="right") - 1, n_places - 1))
        owners.append(np.full(len(starts) + 1, index))
    place_N, owner_N = np.concatenate(places), np.concatenate(owners)
    if len(place_N) != len(log_probs_N):
        raise UserError(
            f"run {run.name} has losses of {len(log_probs_N):,} tokens, its tokenizer gives {len(place_N):,}; "
            "pass the corpus that it was validated on with --corpus"
        )
    flat = np.bincount(owner_N * n_places + place_N, weights=-log_probs_N, minlength=len(titles) * n_places)
    return flat.reshape(len(titles), n_places)


def _share(part: np.ndarray, whole: np.ndarray) -> float | None:
    """None where what goes up and what goes down nearly cancel: shares of almost nothing say nothing."""
    total = float(whole.sum())
    return float(part.sum()) / total if abs(total) > 0.01 * np.abs(whole).sum() else None
