"""Ctrl-C, SIGTERM and SIGHUP as a request: the step in progress ends, the state is saved, then training stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Self

from sevenepochs.errors import command

# Sent when a terminal closes, often twice: by the shell to its jobs, and by the system to those in the foreground.
_HANGUP: int | None = getattr(signal, "SIGHUP", None)  # Windows has none


class Interrupted(Exception):
    """Training stopped on request; `run_path` holds a checkpoint to resume from."""

    def __init__(self, run_path: Path) -> None:
        super().__init__(f"interrupted; resume with: {command('resume', run_path)}")
        self.run_path = run_path


class StoppedUnsaved(KeyboardInterrupt):
    """A second Ctrl-C stopped training at once.

    Attributes:
        run_path: the run folder, which can be resumed.
        saved_step: step of its last checkpoint; None before the first.
    """

    def __init__(self, run_path: Path, saved_step: int | None) -> None:
        super().__init__()
        self.run_path, self.saved_step = run_path, saved_step


class StopRequests:
    """While active, the first signal sets `requested`; a second Ctrl-C falls through to Python's own handling.

    The first signal calls `acknowledge`, because a step may take many seconds; with `at_once` set it raises
    KeyboardInterrupt instead. A second SIGHUP is no new request, and an ignored one (nohup) stays ignored. Outside the
    main thread, where Python allows no handlers, nothing happens.
    """

    def __init__(self, acknowledge: Callable[[], None]) -> None:
        self._acknowledge = acknowledge
        self.requested = False
        self.at_once = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            signals = [signal.SIGINT, signal.SIGTERM]
            if _HANGUP is not None and signal.getsignal(_HANGUP) != signal.SIG_IGN:
                signals.append(signal.Signals(_HANGUP))
            for number in signals:
                # None: set outside Python
                self._previous[number] = signal.signal(number, self._request) or signal.SIG_DFL
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if number == _HANGUP and self.requested:
            return
        self.requested = True
        if number != _HANGUP:
            signal.signal(number, self._previous[number])
        if self.at_once:
            raise KeyboardInterrupt
        self._acknowledge()
