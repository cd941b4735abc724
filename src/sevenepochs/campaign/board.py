"""The board: workers write how far their jobs are on it, and read whether to stop (campaign/workers.py).

A Ray actor beside the program that hands out the jobs. Workers on machines without the runs' folder fetch run folders
from it and bring them back. The module imports no torch, so that the actor is there at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sevenepochs.store.run import layout, storage, travel
from sevenepochs.store.run.lock import Lock
from sevenepochs.training.hooks import Watcher

if TYPE_CHECKING:
    from sevenepochs.campaign.jobs import Job, Planned


class Row(NamedTuple):
    """A job that is being run, the `number`-th. Its worker's last facts, as far as known: `node`, `pid`, `step`,
    `n_steps`, `train_loss`, `exact`, `seconds_left`."""

    number: int
    job: Job
    facts: dict[str, Any]


class Overview(Watcher):
    """A watcher of all jobs together; this one is silent."""

    def show(self, rows: list[Row]) -> None:
        """Called about twice a second with the jobs that are being run."""

    def ended(self, number: int, one: Planned) -> None:
        """Called after each job."""


class Board:
    """Facts by attempt. Each start of a job is an attempt with a number of its own."""

    def __init__(self, runs_root: str) -> None:
        self._root = Path(runs_root)
        self._facts: dict[int, dict[str, Any]] = {}
        self._locks: dict[int, Lock] = {}
        self._over: set[int] = set()
        self._stopping = False

    def tell(self, attempt: int, facts: dict[str, Any]) -> bool:
        """Take an attempt's present facts; return whether it shall stop."""
        self._facts[attempt] = facts
        return self._stopping or attempt in self._over

    def facts(self) -> dict[int, dict[str, Any]]:
        """Return each attempt's last facts."""
        return self._facts

    def stop(self) -> None:
        """Let all attempts stop with their state saved."""
        self._stopping = True

    def fetch(self, attempt: int, name: str) -> dict[str, bytes]:
        """Return a run folder packed; it is locked, because it is written elsewhere from now on."""
        self._take(attempt, name)
        return travel.pack(self._root / name)

    def keep(self, attempt: int, name: str, files: dict[str, bytes]) -> None:
        """Bring a run folder to the state that it has elsewhere. Raises UserError: it cannot be written here."""
        with storage.disk_errors(f"run {name}", "make room there; the same command goes on from here"):
            self._take(attempt, name)
            travel.unpack(files, self._root / name)

    def end(self, attempt: int) -> None:
        """Forget an attempt, and take nothing more of it: its worker may be cut off and not dead."""
        self._over.add(attempt)
        if (lock := self._locks.pop(attempt, None)) is not None:
            lock.release()

    def _take(self, attempt: int, name: str) -> None:
        assert attempt not in self._over, "an attempt that was given up brings a run folder"
        if attempt not in self._locks:
            (self._root / name).mkdir(parents=True, exist_ok=True)
            self._locks[attempt] = Lock(self._root / name / layout.LOCK)
