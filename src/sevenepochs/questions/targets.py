"""Which title each target of the validation stream belongs to. No torch. N targets."""

from __future__ import annotations

from collections.abc import Sequence
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
