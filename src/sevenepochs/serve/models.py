"""The runs that the page offers and their models in memory, each with its answers after typed prefixes.

A request names a run by the name that the server gave out, never by a path, so nothing outside can be reached.

T positions, V vocabulary.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sevenepochs.ask.model import Model, Prefix
from sevenepochs.errors import UserError
from sevenepochs.serve.guard import Limits, Refusal
from sevenepochs.store.run import Run, layout

_Stamp = tuple[int, int]
_ID = np.dtype(np.int64)


@dataclass(eq=False)
class Place:
    """One beginning of a typed title: ln p of the whole vocabulary after it; do not change it.

    `shown`: what the page shows of it, once made: ten out of 16,000 need not be found again at every keystroke.
    """

    log_probs_V: np.ndarray
    shown: dict[str, Any] | None = None


class PrefixCache:
    """A model with its answers after every beginning of a typed title, so that a keystroke costs its own tokens only.

    A next text shares all but its last token or two with the one before, and going back shares everything. The longest
    known beginning among all titles is taken, whoever typed it. Used from one thread.
    """

    def __init__(self, model: Model, max_bytes: int) -> None:
        self.model = model
        self._max_bytes = max_bytes
        # contexts that were read, each with a place per beginning
        self._known: OrderedDict[bytes, tuple[Prefix, list[Place]]] = OrderedDict()
        # beginning -> the newest of the contexts that have it; contexts share its place
        self._newest: dict[bytes, bytes] = {}
        self._prefix_bytes = self._row_bytes = 0

    def places(self, context: np.ndarray) -> list[Place]:
        """Return the model's answer after each beginning of the context: T places. Raises UserError: the context is
        longer than the model's block."""
        longest = self.model.block_size
        if len(context) > longest:
            raise UserError(f"the headline has {len(context) - 1:,} tokens; this model reads {longest - 1:,} at most")
        key = context.astype(_ID).tobytes()
        prefix, places, n_shared = self.model.new_prefix(), list[Place](), 0
        if found := next((beginning for beginning in reversed(_beginnings(key)) if beginning in self._newest), b""):
            prefix, places = self._known[self._newest[found]]
            n_shared = len(found) // _ID.itemsize
            prefix, places = prefix.first(n_shared), places[:n_shared]
        if n_shared < len(context):
            log_probs_TV, prefix = self.model.read_on(prefix, context[n_shared:])
            # each row by itself, so that one that is kept does not keep all
            places = places + [Place(log_probs_V.copy()) for log_probs_V in log_probs_TV]
        self._keep(key, prefix.compact(), places)
        return places

    @property
    def n_bytes(self) -> int:
        """Memory of all that is kept; places that several titles share count once."""
        return self._prefix_bytes + self._row_bytes * len(self._newest)

    def _keep(self, key: bytes, prefix: Prefix, places: list[Place]) -> None:
        if key in self._known:
            self._forget(key)
        self._known[key] = prefix, places
        self._newest.update(dict.fromkeys(_beginnings(key), key))
        self._prefix_bytes += prefix.n_bytes
        self._row_bytes = places[0].log_probs_V.nbytes
        while len(self._known) > 1 and self.n_bytes > self._max_bytes:
            self._forget(next(iter(self._known)))

    def _forget(self, key: bytes) -> None:
        prefix, _ = self._known.pop(key)
        self._prefix_bytes -= prefix.n_bytes
        for beginning in _beginnings(key):
            if self._newest[beginning] == key:
                del self._newest[beginning]


class OpenModels:
    """Offered runs, found by name only; the models of runs that vanish are closed. Call `open` from one thread only."""

    def __init__(self, runs: Sequence[Run], limits: Limits) -> None:
        """Raises UserError when two runs have the same folder name."""
        self._runs: dict[str, Run] = {}
        for run in runs:
            other = self._runs.setdefault(run.name, run)
            if other.path.resolve() != run.path.resolve():
                raise UserError(f"two runs are called {run.name}: {other.path} and {run.path}; rename one folder")
        self._limits = limits
        self._opened: OrderedDict[str, tuple[_Stamp, PrefixCache]] = OrderedDict()

    @property
    def names(self) -> list[str]:
        """The runs' names, in the order in which they were given."""
        return list(self._runs)

    def run(self, name: str) -> Run:
        """Return a fresh view of the run. Raises Refusal: not offered, or gone since."""
        known = self._runs.get(name)
        if known is None:
            raise Refusal(404, f"there is no run {name[:80]!r} on this page")
        try:
            return Run(known.path)  # anew, because a Run remembers some of what it has read
        except (UserError, OSError):
            self._opened.pop(name, None)
            gone = f"run {name} is gone: its folder was moved or deleted; put it back, or restart"
            raise Refusal(410, gone) from None

    def opened(self, name: str) -> PrefixCache | None:
        """Return the model if it is in memory and its file is still the one it was read from. Raises Refusal: see
        `run`."""
        stamp = _stamp(self.run(name))
        known, found = self._opened.get(name, (None, None))
        if found is None or known != stamp:
            self._opened.pop(name, None)
            return None
        with contextlib.suppress(KeyError):  # another thread may have put it out of memory just now
            self._opened.move_to_end(name)
        return found

    def open(self, name: str) -> PrefixCache:
        """Return the model, read from disk where it is not in memory yet. Raises Refusal: not offered, gone,
        incomplete, or damaged; the message says which."""
        if found := self.opened(name):
            return found
        run = self.run(name)
        if run.state != "complete":
            raise Refusal(409, f"run {name} is {run.state}: it has no model yet")
        stamp = _stamp(run)
        try:
            model = Model.load(run)
        except (UserError, OSError) as error:
            raise Refusal(410, str(error)) from None
        if stamp is None:
            raise Refusal(410, f"run {name} is gone: {layout.MODEL} was moved or deleted")
        found = PrefixCache(model, self._limits.prefix_bytes)
        self._opened[name] = stamp, found
        while len(self._opened) > self._limits.open_models:
            self._opened.popitem(last=False)
        return found


def _stamp(run: Run) -> _Stamp | None:
    """A value that changes with the run's weights file."""
    try:
        stat = (run.path / layout.MODEL).stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _beginnings(key: bytes) -> list[bytes]:
    """The context's beginnings, from one token to all."""
    return [key[:stop] for stop in range(_ID.itemsize, len(key) + 1, _ID.itemsize)]
