"""A stream of ids as titles: where each one begins and how long it is, its closing `<eos>` included.

A title's targets are its tokens and the `<eos>` that closes it; its inputs are the `<eos>` before it and its tokens. So
any order of whole titles is a stream like the first one.

N titles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sevenepochs.protocol.rows import Rows


class Titles(NamedTuple):
    """`start_N`: stream position of a title's first target; `length_N`: its targets."""

    start_N: np.ndarray
    length_N: np.ndarray


def find_titles(ids: np.ndarray, eos_id: int) -> Titles:
    """The titles of a stream that ends in `<eos>`."""
    assert len(ids) and ids[-1] == eos_id, "an encoded split ends in <eos>"
    return find_titles_of_part(ids, eos_id)


def find_titles_of_part(ids: np.ndarray, eos_id: int) -> Titles:
    """The titles of the beginning of a stream; the last one may be cut, with no `<eos>` behind it."""
    end_N = np.flatnonzero(ids == eos_id) + 1
    if not len(end_N) or end_N[-1] < len(ids):
        end_N = np.append(end_N, len(ids))
    start_N = np.concatenate(([0], end_N[:-1]))
    return Titles(start_N, end_N - start_N)


def rows_of_whole_titles(ids: np.ndarray, eos_id: int, block_size: int) -> Rows:
    """Scoring rows: as many whole titles as fit, in order. The later rows of a long title begin inside it, as far back
    as fits, and score what the rows before have not. A part of a stream may be scored too: the certificate does."""
    titles = find_titles_of_part(ids, eos_id)
    rows: list[tuple[int, int, int]] = []
    for start, length in zip(titles.start_N.tolist(), titles.length_N.tolist(), strict=True):
        stop = start + length
        if rows and stop - rows[-1][0] <= block_size:
            rows[-1] = (*rows[-1][:2], stop)
            continue
        first = start
        while first < stop:
            end = min(stop, first + block_size)
            rows.append((max(start, end - block_size), first, end))
            first = end
    return Rows(*np.array(rows, dtype=np.int64).reshape(-1, 3).T)


def positions_of(titles: Titles, order: np.ndarray) -> np.ndarray:
    """Stream positions of the targets of the titles in that order, one after the other."""
    return ranges(titles.start_N[order], titles.length_N[order])


def ranges(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """start[0] .. start[0]+length[0]-1, start[1] .. and so on, as one array."""
    before = np.cumsum(length) - length
    return np.repeat(start - before, length) + np.arange(length.sum())
