"""Where the loss is: the exact loss cut up by place in the title, kind of token and kind of title. No torch.

Every breakdown is complete: its parts' nats add up to the exact loss, and so do their `contribution`s. What a title
loses is the sum over its tokens and its closing `<eos>`, in the rows in which the recipe is scored.

N targets of the validation stream, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sevenepochs.data.titles import Breakdown, Kind, title_chars
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EOS, char_count
from sevenepochs.protocol.rows import Rows

N_EXTREMES = 10  # titles on either end that are published, by number
N_EXTREMES_LOCAL = 50  # those whose text is kept, in the run folder alone
_POSITION_EDGES = (2, 3, 4, 5, 6, 8, 11, 16)  # first position (from 1) of each part but the first
_COUNT_EDGES = (1, 10, 100, 1_000, 10_000)
_CONTEXT_EDGES = (2, 4, 8, 16, 32, 64, 128)


class Targets(NamedTuple):
    """The validation stream and its titles: `title_N` and `position_N` (from 1) say where each target stands."""

    ids_N: np.ndarray
    title_N: np.ndarray
    position_N: np.ndarray
    titles: Sequence[str]

    @property
    def n_chars(self) -> np.ndarray:
        """As `title_chars`."""
        return title_chars(self.titles)

    def by_title(self, values_N: np.ndarray) -> np.ndarray:
        """Sums over the titles' targets: (titles,)."""
        return np.bincount(self.title_N, weights=values_N, minlength=len(self.titles))


def targets(ids_N: np.ndarray, eos_id: int, titles: Sequence[str]) -> Targets:
    """Which title each target belongs to. A title that contains the literal text `<eos>` may hold that token inside.

    Raises:
        UserError: the stream is not that of these titles.
    """
    is_end_N = ids_N == eos_id
    piece_N = np.cumsum(is_end_N) - is_end_N
    n_pieces = np.array([1 + title.count(EOS) for title in titles])
    if n_pieces.sum() != is_end_N.sum():
        n_pieces = np.ones(len(titles), dtype=np.int64)  # a tokenizer that reads the literal text as text
    if n_pieces.sum() != is_end_N.sum() or not is_end_N[-1:].all():
        raise UserError(f"the stream has {is_end_N.sum():,} <eos>, its {len(titles):,} titles should give as many")
    title_N = np.repeat(np.arange(len(titles)), n_pieces)[piece_N]
    first_of_title = np.concatenate(([0], np.cumsum(np.bincount(title_N, minlength=len(titles)))[:-1]))
    return Targets(ids_N, title_N, np.arange(len(ids_N)) - first_of_title[title_N] + 1, titles)


def analyze(
    log_probs_N: np.ndarray,
    where: Targets,
    rows: Rows,
    tokenizer: Tokenizer,
    train_counts_V: np.ndarray,
    breakdowns: Sequence[Breakdown],
) -> dict[str, Any]:
    """The exact loss, and each breakdown with its parts.

    Args:
        log_probs_N: ln p of each target, as the exact metric has them.
        breakdowns: of the validation titles, from `title_kinds.break_down`.

    Returns:
        `exact_val_loss`, `n_tokens`, `n_titles`, `n_chars`; `tokens` and `titles`: breakdowns (`name`, `label`,
        `parts`); a part has `name`, `label`, `n_tokens`, `nats`, `share` (of all nats), `nats_per_token`,
        `contribution` (nats per character of the whole text: they add up to the exact loss), and among titles
        `n_titles`, `n_chars`, `nats_per_char` (over the part's own characters). `worst` and `best`: indices of titles
        with their loss.
    """
    nats_N = -log_probs_N
    n_chars = char_count(where.titles)
    total = math.fsum(nats_N)

    def part(kind: Kind, inside_N: np.ndarray) -> dict[str, Any]:
        nats, n = math.fsum(nats_N[inside_N]), int(inside_N.sum())
        return {
            "name": kind.name,
            "label": kind.label,
            "n_tokens": n,
            "nats": nats,
            "share": nats / total,
            "nats_per_token": nats / n,
            "contribution": nats / n_chars,
        }

    def breakdown(name: str, label: str, kinds: Sequence[Kind], of_N: np.ndarray) -> dict[str, Any]:
        parts = [part(kind, of_N == i) for i, kind in enumerate(kinds) if (of_N == i).any()]
        return {"name": name, "label": label, "parts": parts}

    def title_breakdown(b: Breakdown) -> dict[str, Any]:
        parts = []
        for i, kind in enumerate(b.kinds):
            of_kind = b.of_title == i
            if of_kind.any():
                row = part(kind, of_kind[where.title_N])
                chars = int(where.n_chars[of_kind].sum())
                parts.append(
                    {**row, "n_titles": int(of_kind.sum()), "n_chars": chars, "nats_per_char": row["nats"] / chars}
                )
        return {"name": b.name, "label": b.label, "parts": parts}

    worst, best = extremes(where.by_title(nats_N), where, N_EXTREMES)
    return {
        "exact_val_loss": total / n_chars,
        "n_tokens": len(nats_N),
        "n_titles": len(where.titles),
        "n_chars": n_chars,
        "tokens": [
            breakdown(
                "position",
                "place of the token in its title",
                _ranges(_POSITION_EDGES, "token", first=1),
                np.searchsorted(_POSITION_EDGES, where.position_N, side="right"),
            ),
            breakdown("part", "part of the text", _PART_KINDS, parts_of_tokens(tokenizer)[where.ids_N]),
            breakdown(
                "frequency",
                "occurrences of the token in training",
                (*_ranges(_COUNT_EDGES, "times", first=0), Kind("eos", "<eos>")),
                np.where(
                    where.ids_N == tokenizer.eos_id,
                    len(_COUNT_EDGES) + 1,
                    np.searchsorted(_COUNT_EDGES, train_counts_V[where.ids_N], side="right"),
                ),
            ),
            breakdown(
                "context",
                "tokens to the left that the row shows",
                _ranges(_CONTEXT_EDGES, "tokens", first=1),
                np.searchsorted(_CONTEXT_EDGES, _context_lengths(rows, len(nats_N)), side="right"),
            ),
        ],
        "titles": [title_breakdown(b) for b in breakdowns],
        "worst": worst,
        "best": best,
    }


def extremes(nats: np.ndarray, where: Targets, k: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The k worst and the k best titles by nats per character: `index` (in the validation split), `nats`, `n_chars`,
    `nats_per_char`."""
    n_chars = where.n_chars
    per_char = nats / n_chars

    def rows(index: np.ndarray) -> list[dict[str, Any]]:
        return [
            {
                "index": int(i),
                "nats": float(nats[i]),
                "n_chars": int(n_chars[i]),
                "nats_per_char": float(per_char[i]),
            }
            for i in index
        ]

    worst, best = worst_and_best(per_char, k)
    return rows(worst), rows(best)


def worst_and_best(losses: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the k highest losses, falling, and of the k lowest, rising."""
    order = np.argsort(-losses, kind="stable")
    return order[:k], order[::-1][:k]


def with_text(log_probs_N: np.ndarray, where: Targets) -> dict[str, Any]:
    """The worst and the best titles with their text: `keep_local`, for it is the corpus's and not ours to publish."""
    worst, best = extremes(where.by_title(-log_probs_N), where, N_EXTREMES_LOCAL)
    return {
        "keep_local": True,
        "worst": [{**row, "text": where.titles[row["index"]]} for row in worst],
        "best": [{**row, "text": where.titles[row["index"]]} for row in best],
    }


_PART_KINDS = (
    Kind("word", "new word, after a space"),
    Kind("continuation", "goes on without a space"),
    Kind("punctuation", "punctuation alone"),
    Kind("eos", "<eos>"),
)


def parts_of_tokens(tokenizer: Tokenizer) -> np.ndarray:
    """Index into the kinds of part (word, continuation, punctuation, eos) of every token: (V,)."""

    def part(id: int) -> int:
        if id == tokenizer.eos_id:
            return 3
        text = tokenizer.show(id)
        if tokenizer.is_text(id) and not any(c.isalnum() for c in text):
            return 2
        return 0 if text.startswith(" ") else 1

    return np.array([part(id) for id in range(tokenizer.vocab_size)])


def _context_lengths(rows: Rows, n_targets: int) -> np.ndarray:
    """How many tokens of its row each target is predicted from: at least one."""
    lengths_N = np.zeros(n_targets, dtype=np.int64)
    for start, first, stop in zip(*rows, strict=True):
        lengths_N[first:stop] = np.arange(first - start + 1, stop - start + 1)
    return lengths_N


def _ranges(edges: Sequence[int], what: str, first: int) -> tuple[Kind, ...]:
    """Kinds between the edges: 1, 2, 3-5, 6 and more."""
    kinds = []
    for low, high in zip((first, *edges), (*edges, None), strict=True):
        if high is None:
            kinds.append(Kind(f"{what}_from_{low}", f"{low:,} and more"))
        elif high - low == 1:
            kinds.append(Kind(f"{what}_{low}", f"{low:,}"))
        else:
            kinds.append(Kind(f"{what}_{low}_to_{high - 1}", f"{low:,}–{high - 1:,}"))
    return tuple(kinds)
