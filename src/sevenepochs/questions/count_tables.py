"""What counting alone can predict: the frequency of each token, and of each pair. Yardsticks for a model. No torch.

N tokens of a stream, V vocabulary. Both tables are counted in the training stream and know nothing of validation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def frequencies(train_ids: np.ndarray, vocab_size: int) -> np.ndarray:
    """Probability of each token by its training count, half a count added to every token: fp64 (V,), none is 0.

    The half is Jeffreys' prior; with a million training tokens it moves nothing but the tokens never seen.
    """
    counts_V = np.bincount(train_ids, minlength=vocab_size) + 0.5
    frequencies_V: np.ndarray = counts_V / counts_V.sum()
    return frequencies_V


@dataclass(frozen=True)
class PairTable:
    """Token pairs of the training stream, smoothed with the frequencies as Witten and Bell do (1991, "The
    zero-frequency problem", doi:10.1109/18.87000, method C): after token a, which was met n(a) times with t(a)
    different successors,

        p(b | a) = (n(ab) + t(a) f(b)) / (n(a) + t(a)).

    No parameter is tuned. `keys` are the sorted pairs, a times V plus b.
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
        keys, counts = np.unique(before_N * vocab_size + train_ids, return_counts=True)
        return cls(
            frequencies(train_ids, vocab_size),
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
