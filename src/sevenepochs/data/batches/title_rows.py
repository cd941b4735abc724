"""Rows of whole titles: no title is cut, every title is trained on once an epoch, other titles share its row each time.

Titles are packed once, best fit in a random order, into rows of at most `block_size` tokens; what stays empty at a
row's end is padding, which is no target. That fixes how many titles of which length each row holds, and so the number
of rows and steps. Each epoch fills this pattern anew: titles of one length are dealt at random to the places of that
length, the places of a row are put in a random order, and so are the rows. All of it is a function of (seed, epoch).

A title longer than a row is cut; each of its later pieces begins a row, since no `<eos>` parts it from what stands
before it.

A title's targets are its tokens and the `<eos>` that closes it; its inputs are the `<eos>` before it and its tokens. So
any order of whole titles is a stream like the first one.

N titles, P pieces (titles, or parts of long ones), R rows, T position in the row.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass

import numpy as np

from sevenepochs.data.batches import BatchesConfig, TrainingBatches
from sevenepochs.protocol.rows import Rows

IGNORED = -100  # a target that is not scored; torch's cross-entropy knows it by this number


@dataclass(frozen=True)
class TitleRows(BatchesConfig, kind="title_rows"):
    """At most `batch_size` rows per step: those of an epoch are spread evenly over as few steps as they need."""

    batch_size: int = 16
    block_size: int = 256

    def build(self, ids: np.ndarray, eos_id: int, seed: int) -> TrainingBatches:
        return TitleRowsBatches(ids, eos_id, seed, self.batch_size, self.block_size)

    def build_with_facts(self, ids: np.ndarray, eos_id: int, seed: int, inputs: np.ndarray) -> TrainingBatches:
        return TitleRowsBatches(ids, eos_id, seed, self.batch_size, self.block_size, inputs)

    def scoring_rows(self, ids: np.ndarray, eos_id: int) -> Rows:
        return rows_of_whole_titles(ids, eos_id, self.block_size)


class TitleRowsBatches:
    """`targets_per_step` is the mean: padding varies from step to step. `inputs`: None for the tokens before the
    targets, the first one `<eos>`."""

    def __init__(
        self,
        ids: np.ndarray,
        eos_id: int,
        seed: int,
        batch_size: int,
        block_size: int,
        inputs: np.ndarray | None = None,
    ) -> None:
        self._targets = ids
        self._inputs = np.concatenate((np.array([eos_id], dtype=ids.dtype), ids[:-1])) if inputs is None else inputs
        self._eos_id, self._seed, self._shape = eos_id, seed, (batch_size, block_size)
        self._start_P, self._length_P, self._opens_P = _pieces(*find_titles(ids, eos_id), block_size)
        order = np.random.default_rng((seed, 0)).permutation(len(self._start_P))
        self._row_P = _pack(self._length_P, self._opens_P, order, block_size)
        n_rows = int(self._row_P.max()) + 1
        self.steps_per_epoch = -(-n_rows // batch_size)
        self._bounds = np.arange(self.steps_per_epoch + 1) * n_rows // self.steps_per_epoch
        self.targets_per_step = round(len(ids) / self.steps_per_epoch)
        self._epoch = 0  # the epoch laid out last
        self._x_RT = self._y_RT = np.empty((0, block_size), dtype=ids.dtype)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, index = divmod(step - 1, self.steps_per_epoch)
        if epoch + 1 != self._epoch:
            self._lay_out(epoch + 1)
        rows = slice(self._bounds[index], self._bounds[index + 1])
        n_rows = rows.stop - rows.start
        x_BT = np.full(self._shape, self._eos_id, dtype=np.int64)
        y_BT = np.full(self._shape, IGNORED, dtype=np.int64)
        x_BT[:n_rows], y_BT[:n_rows] = self._x_RT[rows], self._y_RT[rows]
        return x_BT, y_BT

    def _lay_out(self, epoch: int) -> None:
        rng = np.random.default_rng((self._seed, epoch))
        n_rows, block_size = int(self._bounds[-1]), self._shape[1]
        piece_P = self._deal(rng)  # which piece stands in each place of the pattern
        row_P = rng.permutation(n_rows)[self._row_P]
        # places by row; pieces that must begin their row first, the others in random order
        order_P = np.lexsort((rng.random(len(piece_P)), ~self._opens_P, row_P))
        row_P, piece_P = row_P[order_P], piece_P[order_P]
        length_P = self._length_P[piece_P]
        before_P = np.cumsum(length_P) - length_P
        row_begins_R = np.searchsorted(row_P, np.arange(n_rows))
        place = ranges(row_P * block_size + before_P - before_P[row_begins_R][row_P], length_P)
        source = ranges(self._start_P[piece_P], length_P)
        self._x_RT = np.full((n_rows, block_size), self._eos_id, dtype=np.int64)
        self._y_RT = np.full((n_rows, block_size), IGNORED, dtype=np.int64)
        self._x_RT.ravel()[place], self._y_RT.ravel()[place] = self._inputs[source], self._targets[source]
        self._epoch = epoch

    def _deal(self, rng: np.random.Generator) -> np.ndarray:
        """For each place a piece of its length; pieces that must begin a row stay where they are."""
        n = len(self._start_P)
        key_P = np.where(self._opens_P, -1 - np.arange(n), self._length_P)  # a key of its own for those that stay
        places = np.argsort(key_P, kind="stable")
        shuffled = rng.permutation(n)
        dealt = np.empty(n, dtype=np.int64)
        dealt[places] = shuffled[np.argsort(key_P[shuffled], kind="stable")]
        return dealt


def _pieces(start_N: np.ndarray, length_N: np.ndarray, block_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts, lengths (at most `block_size`), and which pieces must begin a row."""
    n_pieces_N = -(-length_N // block_size)
    number_P = ranges(np.zeros(len(start_N), dtype=np.int64), n_pieces_N)  # 0 for a title's first piece
    start_P = np.repeat(start_N, n_pieces_N) + number_P * block_size
    length_P = np.minimum(block_size, np.repeat(start_N + length_N, n_pieces_N) - start_P)
    return start_P, length_P, number_P > 0


def _pack(length_P: np.ndarray, opens_P: np.ndarray, order_P: np.ndarray, block_size: int) -> np.ndarray:
    """The row of each piece: rows for those that must begin one, then the others, each into the fullest row that still
    has room (best fit)."""
    row_P = np.empty(len(length_P), dtype=np.int64)
    room: list[tuple[int, int]] = []  # (free tokens, row), sorted
    n_rows = 0
    for piece in np.concatenate((order_P[opens_P[order_P]], order_P[~opens_P[order_P]])).tolist():
        length = int(length_P[piece])
        at = len(room) if opens_P[piece] else bisect_left(room, (length, -1))
        if at < len(room):
            free, row = room.pop(at)
        else:
            free, row = block_size, n_rows
            n_rows += 1
        row_P[piece] = row
        if free > length:
            insort(room, (free - length, row))
    return row_P


def find_titles(ids: np.ndarray, eos_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the stream position of each title's first target, and its number of targets: (N,) each. The last title may
    be cut, with no `<eos>` behind it."""
    end_N = np.flatnonzero(ids == eos_id) + 1
    if not len(end_N) or end_N[-1] < len(ids):
        end_N = np.append(end_N, len(ids))
    start_N = np.concatenate(([0], end_N[:-1]))
    return start_N, end_N - start_N


def rows_of_whole_titles(ids: np.ndarray, eos_id: int, block_size: int) -> Rows:
    """Return scoring rows: as many whole titles as fit, in order. The later rows of a long title begin inside it, as
    far back as fits, and score what the rows before have not. The stream may end inside a title."""
    rows: list[tuple[int, int, int]] = []
    for start, length in np.transpose(find_titles(ids, eos_id)).tolist():
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


def ranges(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return start[0] .. start[0]+length[0]-1, start[1] .. and so on, as one array."""
    before = np.cumsum(length) - length
    return np.repeat(start - before, length) + np.arange(length.sum())
