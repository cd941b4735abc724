"""What a model said after every beginning of a typed title, remembered, so that a keystroke costs its own tokens only.

T positions, V vocabulary. A typist's next text shares all but its last token or two with the one before, and going back
shares everything; the longest known beginning among all remembered titles is taken, whoever typed it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from sevenepochs.analysis.reader import Reader


@dataclass(frozen=True)
class _Known:
    """One typed context and ln p of the whole vocabulary after each of its beginnings, a row each."""

    ids: np.ndarray
    rows: list[np.ndarray]


class Prefixes:
    """Used from one thread."""

    def __init__(self, reader: Reader, max_bytes: int) -> None:
        self._reader = reader
        self._max_bytes = max_bytes
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def rows(self, context: np.ndarray) -> list[np.ndarray]:
        """ln p of every token after each beginning of the context: T arrays (V,); do not change them.

        Raises:
            UserError: the context is longer than the model's block.
        """
        n_shared, known = max(
            ((_n_shared(context, known.ids), known) for known in self._known.values()),
            key=lambda found: found[0],
            default=(0, None),
        )
        if known is not None and n_shared == len(context):
            rows = known.rows[:n_shared]
        else:
            rows = [row.copy() for row in self._reader.all_log_probs(context)]
        self._remember(context, rows)
        return rows

    def _remember(self, context: np.ndarray, rows: list[np.ndarray]) -> None:
        key = context.tobytes()
        self._known[key] = _Known(context, rows)
        self._known.move_to_end(key)
        while len(self._known) > 1 and self._n_bytes() > self._max_bytes:
            self._known.popitem(last=False)

    def _n_bytes(self) -> int:
        return sum({id(row): row.nbytes for known in self._known.values() for row in known.rows}.values())


def _n_shared(a: np.ndarray, b: np.ndarray) -> int:
    """How many ids two contexts share from the start."""
    n = min(len(a), len(b))
    differs = np.flatnonzero(a[:n] != b[:n])
    return int(differs[0]) if len(differs) else n
