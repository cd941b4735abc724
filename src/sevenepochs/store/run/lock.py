"""One writer per run folder: a lock file that names the writing process and goes stale when that process dies.

The process is named by its id and its start time, because ids are used again. Where neither /proc nor `ps` exists
(Windows), a lock counts as stale, so there it does not protect. Processes on two machines that share a folder are
not kept apart either: the file holds no host name.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def holder(path: Path) -> int | None:
    """The id of the live process that holds the lock; None when it is free, stale or unreadable."""
    try:
        return _live_pid(path.read_bytes())
    except OSError:
        return None


class Lock:
    """A lock held by this process until `release()` or death."""

    def __init__(self, path: Path) -> None:
        """Take the lock, also from a dead process, or from an earlier writer in this one (a notebook's failed cell).

        Raises:
            BlockingIOError: another live process holds it.
        """
        self._path = path
        self._token = uuid.uuid4().hex
        with _exclusive(path) as file:
            pid = _live_pid(file.read())
            if pid is not None and pid != os.getpid():
                raise BlockingIOError(f"held by process {pid}")
            _fill(file, {"pid": os.getpid(), "started": _start_time(os.getpid()), "token": self._token})

    def release(self) -> None:
        """Free the lock unless somebody has taken it over. The empty file stays: deleting it would let two processes
        lock two files of one name."""
        with contextlib.suppress(OSError), _exclusive(self._path) as file:
            if _parse(file.read()).get("token") == self._token:
                _fill(file, None)


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[BinaryIO]:
    """The lock file, opened, with others kept out while it is read and rewritten (microseconds)."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "rb+", buffering=0) as file:
        if fcntl is not None:
            # Some network file systems have no flock; then only the race of two simultaneous takers stays open.
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield file  # closing it drops the flock


def _fill(file: BinaryIO, content: dict[str, Any] | None) -> None:
    file.seek(0)
    file.truncate()
    if content is not None:
        file.write(json.dumps(content).encode())


def _parse(content: bytes) -> dict[str, Any]:
    try:
        data = json.loads(content)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _live_pid(content: bytes) -> int | None:
    data = _parse(content)
    pid = data.get("pid")
    if isinstance(pid, int) and pid > 0 and data.get("started") is not None and _start_time(pid) == data["started"]:
        return pid
    return None


def _start_time(pid: int) -> str | None:
    """When the process started, as the system tells it; None when there is no such process or it is only a zombie."""
    if Path("/proc/self/stat").exists():
        try:
            # The name, in parentheses, may hold spaces; then come the state (field 3) ... the start time (field 22).
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    try:
        out = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        )
    except OSError:
        return None
    return out.stdout.strip() or None
