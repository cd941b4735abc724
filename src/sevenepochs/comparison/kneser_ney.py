"""A counting model of titles: interpolated, modified Kneser-Ney over tokens. numpy only.

Chen and Goodman, "An empirical study of smoothing techniques for language modeling" (1999, doi:10.1006/csla.1999.0128),
section 3: three discounts per order, estimated from the counts of counts. With c the count of an n-gram and h' the
history h without its first token,

    p(w | h) = max(c(hw) - D(c(hw)), 0) / c(h) + (D-weighted number of successors of h) / c(h) * p(w | h'),

down to the uniform 1/V. The highest order has plain counts. Lower orders count in how many contexts an n-gram occurs,
except n-grams that begin with the `<eos>` that opens a title: nothing stands before it, so they keep plain counts.
No n-gram reaches over the beginning of a title.

N tokens of a stream, G distinct n-grams of one order, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_DEFAULT_DISCOUNTS = (0.5, 1.0, 1.5)  # where too few n-grams occur to estimate them


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order. An n-gram's number is its place in `keys_G`, and its key is its history's number in
    the order below times V plus its last token. Arrays with H are indexed by history.

    Attributes:
        kept_G: the count less its discount.
        total_H: c(h), 0 for a history without successors.
        freed_H: what the discounts took from the successors of h.
    """

    keys_G: np.ndarray
    kept_G: np.ndarray
    total_H: np.ndarray
    freed_H: np.ndarray


class KneserNey:
    """Frozen counts of a training stream."""

    def __init__(self, train_ids: np.ndarray, vocab_size: int, eos_id: int, order: int = 5) -> None:
        """Count a stream of titles, each closed by `<eos>`.

        Args:
            order: length of the longest n-gram in tokens, its last one included.
        """
        self._vocab_size, self._eos_id = vocab_size, eos_id
        ids_N, place_N = self._opened(train_ids)
        keys, numbers = [np.arange(vocab_size)], [ids_N]
        firsts = [np.array([0])]  # per order: where each n-gram occurs first
        for n in range(2, order + 1):
            keys_N = self._keys(ids_N, place_N, numbers[-1], n)
            keys_G, first_G = np.unique(keys_N, return_index=True)
            known = keys_G >= 0
            keys.append(keys_G[known])
            firsts.append(first_G[known])
            numbers.append(_numbers(keys[-1], keys_N))
        self._orders = []
        for n in range(1, order + 1):
            number_N, size = numbers[n - 1], len(keys[n - 1])
            if n < order:
                counts_G = np.bincount(number_N[firsts[n]], minlength=size)  # one per n-gram that is longer by one
                opens_N = (place_N == n - 1) & (n > 1)
                counts_G += np.bincount(number_N[opens_N], minlength=size)
            else:
                counts_G = np.bincount(number_N[place_N >= max(n - 1, 1)], minlength=size)
            n_histories = len(keys[n - 2]) if n > 1 else 1
            self._orders.append(_discounted(keys[n - 1], counts_G, vocab_size, n_histories))

    def log_probs(self, ids_N: np.ndarray, among_V: np.ndarray | None = None) -> np.ndarray:
        """ln p of every token of a stream of titles, given the tokens before it in its title: fp64 (N,).

        The stream is taken to follow one `<eos>`. The probabilities of all V tokens sum to 1, and none is 0.

        Args:
            among_V: a mask of tokens; with it ln p(any of these tokens), whatever the token is.
        """
        ids_N, place_N = self._opened(ids_N)
        share = 1 / self._vocab_size if among_V is None else np.mean(among_V)
        probs_N = np.full(len(ids_N), share)
        number_N = ids_N
        for n, order in enumerate(self._orders, start=1):
            keys_N = ids_N if n == 1 else self._keys(ids_N, place_N, number_N, n)
            history_N = np.maximum(keys_N, 0) // self._vocab_size
            total_N = np.where(keys_N >= 0, order.total_H[history_N], 0)
            number_N = _numbers(order.keys_G, keys_N)
            if among_V is None:
                kept_N = np.where(number_N >= 0, order.kept_G[number_N], 0)
            else:
                kept_G = order.kept_G * among_V[order.keys_G % self._vocab_size]
                histories_G = order.keys_G // self._vocab_size
                kept_N = np.bincount(histories_G, weights=kept_G, minlength=len(order.total_H))[history_N]
            here_N = (kept_N + order.freed_H[history_N] * probs_N) / np.maximum(total_N, 1)
            probs_N = np.where(total_N > 0, here_N, probs_N)
        log_probs_N: np.ndarray = np.log(probs_N[1:])
        return log_probs_N

    def _opened(self, ids_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The stream after one `<eos>`, and how many tokens each stands behind the `<eos>` that opens its title (0 for
        the first `<eos>` alone; others close a title)."""
        ids_N = np.concatenate(([self._eos_id], ids_N)).astype(np.int64)
        index_N = np.arange(len(ids_N))
        last_eos_N = np.maximum.accumulate(np.where(ids_N == self._eos_id, index_N, 0))
        return ids_N, index_N - np.concatenate(([0], last_eos_N[:-1]))

    def _keys(self, ids_N: np.ndarray, place_N: np.ndarray, number_N: np.ndarray, n: int) -> np.ndarray:
        """Key of the n-gram that ends at each token; -1 where it would begin before its title, or its history never
        occurred in training.

        Args:
            number_N: of the (n-1)-gram that ends at each token, -1 where there is none.
        """
        history_N = np.concatenate(([-1], number_N[:-1]))
        return np.where((place_N >= n - 1) & (history_N >= 0), history_N * self._vocab_size + ids_N, -1)


def _numbers(keys_G: np.ndarray, keys_N: np.ndarray) -> np.ndarray:
    """Place of each key among the sorted ones, -1 for those that are not there."""
    at_N = np.minimum(np.searchsorted(keys_G, keys_N), len(keys_G) - 1)
    return np.where(keys_G[at_N] == keys_N, at_N, -1)


def _discounted(keys_G: np.ndarray, counts_G: np.ndarray, vocab_size: int, n_histories: int) -> _Order:
    n1, n2, n3, n4 = (int(np.count_nonzero(counts_G == k)) for k in (1, 2, 3, 4))
    found = np.zeros(3)
    if min(n1, n2, n3) > 0:
        y = n1 / (n1 + 2 * n2)
        found = np.array((1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3))
    usable = np.all((found > 0) & (found <= (1, 2, 3)))
    discounts = np.append(0, found if usable else _DEFAULT_DISCOUNTS)
    discount_G = discounts[np.minimum(counts_G, 3)]
    history_G = keys_G // vocab_size
    return _Order(
        keys_G,
        counts_G - discount_G,
        np.bincount(history_G, weights=counts_G, minlength=n_histories),
        np.bincount(history_G, weights=discount_G, minlength=n_histories),
    )
