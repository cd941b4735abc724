"""The validation stream beside its titles, and its predictions by counting alone: yardsticks for a model. No torch.

N tokens of a stream, V vocabulary. Frequencies and pairs are counted in the training stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sevenepochs.data.titles import title_chars
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EOS


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
    """Return the title that each target belongs to. A title with the literal text `<eos>` may hold that token inside.
    Raises UserError: the stream is not that of these titles."""
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


@dataclass(frozen=True)
class PairTable:
    """Token pairs of the training stream, smoothed with the frequencies as Witten and Bell do (1991, "The
    zero-frequency problem", doi:10.1109/18.87000, method C): after token a, which was met n(a) times with t(a)
    different successors,

        p(b | a) = (n(ab) + t(a) f(b)) / (n(a) + t(a)).

    No parameter is tuned. `keys` are the sorted pairs, a times V plus b. `frequencies_V` are the training counts, half
    a count added to every token so that none is 0 (Jeffreys' prior).
    """

    frequencies_V: np.ndarray
    keys: np.ndarray
    counts: np.ndarray
    n_after_V: np.ndarray
    n_types_V: np.ndarray

    @classmethod
    def count(cls, train_ids: np.ndarray, vocab_size: int, eos_id: int) -> PairTable:
        """Count a stream that is taken to follow one `<eos>`."""
        before_N = _before(train_ids, eos_id)
        counts_V = np.bincount(train_ids, minlength=vocab_size) + 0.5
        keys, counts = np.unique(before_N * vocab_size + train_ids, return_counts=True)
        return cls(
            counts_V / counts_V.sum(),
            keys,
            counts,
            np.bincount(before_N, minlength=vocab_size),
            np.bincount(keys // vocab_size, minlength=vocab_size),
        )

    def log_probs(self, ids_N: np.ndarray, eos_id: int) -> np.ndarray:
        """ln p of every token of a stream after the one before it: fp64 (N,)."""
        before_N = _before(ids_N, eos_id)
        keys_N = before_N * len(self.frequencies_V) + ids_N
        at_N = np.searchsorted(self.keys, keys_N)
        # behind the last pair stands one that is none, for what sorts after all of them
        n_pair_N = np.where(np.append(self.keys, -1)[at_N] == keys_N, np.append(self.counts, 0)[at_N], 0)
        n_types_N = self.n_types_V[before_N]
        total_N = self.n_after_V[before_N] + n_types_N
        frequency_N = self.frequencies_V[ids_N]
        # a token never met before anything tells nothing about what follows
        smoothed_N = (n_pair_N + n_types_N * frequency_N) / np.maximum(total_N, 1)
        log_probs_N: np.ndarray = np.log(np.where(total_N > 0, smoothed_N, frequency_N))
        return log_probs_N


def _before(ids_N: np.ndarray, eos_id: int) -> np.ndarray:
    return np.concatenate(([eos_id], ids_N))[:-1].astype(np.int64)
