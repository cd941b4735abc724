"""One writer per run folder: a kernel lock on a file, which ends with the process that holds it.

The file also names that process, for messages only: the kernel says whether the lock is held.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
from pathlib import Path
from typing import Self

from filelock import BaseFileLock, FileLock, Timeout

_PATIENCE_SECONDS = 1.0  # `is_held` in another process holds the lock for a moment
_PROBE_SECONDS = 0.05
_POLL_SECONDS = 0.01
_START = 1  # Windows lets nobody else read the locked byte 0

_guard = threading.RLock()
_ours: dict[Path, Lock] = {}  # this process's locks by resolved path


class Lock:
    """A lock held by this process until `release()` or the process's end."""

    def __init__(self, path: Path) -> None:
        """Take the lock, also from an earlier writer in this process (a notebook's failed cell).

        Raises:
            BlockingIOError: another process holds it.
            OSError: the file cannot be opened or locked.
        """
        self._path = path.resolve()
        with _guard:
            earlier = _ours.get(self._path)
            if earlier is not None and earlier._kernel.is_locked:
                self._kernel: BaseFileLock = earlier._kernel
            else:
                self._kernel = FileLock(self._path, thread_local=False)
                try:
                    self._kernel.acquire(timeout=_PATIENCE_SECONDS, poll_interval=_POLL_SECONDS)
                except Timeout:
                    raise BlockingIOError(f"held by {_holder(self._path)}") from None
                line = json.dumps({"pid": os.getpid(), "host": platform.node()}) + "\n"
                with contextlib.suppress(OSError), open(self._path, "rb+", buffering=0) as file:
                    file.seek(_START)
                    file.write(line.encode())
            _ours[self._path] = self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Free the lock unless a later one of this process has taken it over. The empty file stays: deleting it would
        let two processes lock two files of one name."""
        with _guard:
            if _ours.get(self._path) is not self:
                return
            del _ours[self._path]
            if self._kernel.is_locked:  # not so in a fork of the process that holds it
                with contextlib.suppress(OSError):
                    os.truncate(self._path, 0)
                self._kernel.release()


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock. A file that this user may not write counts as free."""
    path = path.resolve()
    with _guard:
        if path in _ours and _ours[path]._kernel.is_locked:
            return True
        if not path.is_file():
            return False
        probe = FileLock(path, thread_local=False)
        try:
            # not at once: another reader may be looking
            probe.acquire(timeout=_PROBE_SECONDS, poll_interval=_POLL_SECONDS)
        except Timeout:
            return True
        except OSError:
            return False
        probe.release()
        return False


def _holder(path: Path) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(_START)
            found = json.loads(file.read().partition(b"\n")[0])
        pid, host = int(found["pid"]), str(found["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    return f"process {pid}" if host == platform.node() else f"process {pid} on {host}"
