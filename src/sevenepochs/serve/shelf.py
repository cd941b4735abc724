"""The runs that the page offers, and their opened models: found by name only, closed when they vanish.

A request names a run by the name that the server gave out, never by a path, so nothing outside can be reached.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from sevenepochs.ask.model import Model
from sevenepochs.errors import UserError
from sevenepochs.serve.limits import Limits
from sevenepochs.serve.prefixes import Prefixes
from sevenepochs.serve.refusal import Refusal
from sevenepochs.store.run import Run, layout


class Opened(NamedTuple):
    """A model in memory. `stamp`: of the weights file it was read from."""

    model: Model
    prefixes: Prefixes
    stamp: tuple[int, int]


class Shelf:
    """`open` is called from one thread; `opened` and `run` from any."""

    def __init__(self, runs: Sequence[Run], limits: Limits) -> None:
        """Raises UserError when two runs have the same folder name."""
        self._runs: dict[str, Run] = {}
        for run in runs:
            other = self._runs.setdefault(run.name, run)
            if other.path.resolve() != run.path.resolve():
                raise UserError(f"two runs are called {run.name}: {other.path} and {run.path}; rename one folder")
        self._limits = limits
        self._opened: OrderedDict[str, Opened] = OrderedDict()

    @property
    def names(self) -> list[str]:
        """In the order in which they were given."""
        return list(self._runs)

    def run(self, name: str) -> Run:
        """A fresh view of the run.

        Raises:
            Refusal: not offered, or gone since.
        """
        known = self._runs.get(name)
        if known is None:
            raise Refusal(404, f"there is no run {name[:80]!r} on this page")
        try:
            return Run(known.path)  # anew, because a Run remembers some of what it has read
        except (UserError, OSError):
            self._opened.pop(name, None)
            raise Refusal(
                410, f"run {name} is gone: its folder was moved or deleted; put it back, or restart"
            ) from None

    def opened(self, name: str) -> Opened | None:
        """The model if it is in memory and its file is still the one it was read from.

        Raises:
            Refusal: see `run`.
        """
        run = self.run(name)
        found = self._opened.get(name)
        if found is None:
            return None
        if found.stamp != _stamp(run):
            self._opened.pop(name, None)
            return None
        with contextlib.suppress(KeyError):  # another thread may have put it out of memory just now
            self._opened.move_to_end(name)
        return found

    def open(self, name: str) -> Opened:
        """The model, read from disk where it is not in memory yet.

        Raises:
            Refusal: not offered, gone, incomplete, or damaged; the message says which.
        """
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
        opened = Opened(model, Prefixes(model, self._limits.prefix_bytes), stamp)
        self._opened[name] = opened
        while len(self._opened) > self._limits.open_models:
            self._opened.popitem(last=False)
        return opened


def _stamp(run: Run) -> tuple[int, int] | None:
    try:
        stat = (run.path / layout.MODEL).stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
