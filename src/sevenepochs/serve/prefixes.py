"""What a model said after every beginning of a typed title, remembered, so that a keystroke costs its own tokens only.

T positions, V vocabulary. A typist's next text shares all but its last token or two with the one before, and going back
shares everything; the longest known beginning among all remembered titles is taken, whoever typed it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from sevenepochs.ask.model import Model, Prefix
from sevenepochs.errors import UserError


@dataclass(eq=False)
class Row:
    """ln p of the whole vocabulary after one beginning; do not change it.

    `place`: what the page shows of it, once made: ten out of 16,000 need not be found again at every keystroke.
    """

    log_probs_V: np.ndarray
    place: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Known:
    """What was read of one typed context, and what the model said after each of its beginnings."""

    prefix: Prefix
    rows: list[Row]

    @property
    def ids(self) -> np.ndarray:
        ids_T: np.ndarray = self.prefix.ids_BT[0]
        return ids_T


class Prefixes:
    """Used from one thread."""

    def __init__(self, model: Model, max_bytes: int) -> None:
        self._model = model
        self._max_bytes = max_bytes
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def rows(self, context: np.ndarray) -> list[Row]:
        """What the model says after each beginning of the context: T rows.

        Raises:
            UserError: the context is longer than the model's block.
        """
        longest = self._model.block_size
        if len(context) > longest:
            raise UserError(f"the headline has {len(context) - 1:,} tokens; this model reads {longest - 1:,} at most")
        n_shared, known = max(
            ((_n_shared(context, known.ids), known) for known in self._known.values()),
            key=lambda found: found[0],
            default=(0, None),
        )
        prefix = self._model.new_prefix() if known is None else known.prefix.first(n_shared)
        rows = [] if known is None else known.rows[:n_shared]
        if n_shared < len(context):
            log_probs_TV, prefix = self._model.read_on(prefix, context[n_shared:])
            # each row by itself, so that one that is kept does not keep all
            rows = rows + [Row(log_probs_V.copy()) for log_probs_V in log_probs_TV]
        self._remember(_Known(prefix.compact(), rows))
        return rows

    def _remember(self, known: _Known) -> None:
        key = known.ids.tobytes()
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > 1 and self.n_bytes > self._max_bytes:
            self._known.popitem(last=False)

    @property
    def n_bytes(self) -> int:
        """What is remembered; rows that several titles share count once."""
        rows = {id(row): row.log_probs_V.nbytes for known in self._known.values() for row in known.rows}
        return sum(rows.values()) + sum(known.prefix.n_bytes for known in self._known.values())


def _n_shared(a: np.ndarray, b: np.ndarray) -> int:
    """How many ids two contexts share from the start."""
    n = min(len(a), len(b))
    differs = np.flatnonzero(a[:n] != b[:n])
    return int(differs[0]) if len(differs) else n
