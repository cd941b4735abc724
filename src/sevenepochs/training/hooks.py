"""Watchers of a run. Training never prints; the command line passes a Watcher that does."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple


class Plan(NamedTuple):
    """Facts of a run that are known before its first step."""

    run_path: Path
    first_step: int
    n_steps: int
    steps_per_epoch: int
    targets_per_step: int
    parameters: int


class Progress(NamedTuple):
    """Facts after each step."""

    step: int
    train_loss_nats_per_token: float
    tokens_per_second: float
    elapsed_seconds: float


class Watcher:
    """The silent watcher; override methods to listen."""

    def message(self, text: str) -> None:
        """Called with one line about what is being done."""

    def started(self, plan: Plan) -> None:
        """Called when the loop begins."""

    def stepped(self, progress: Progress) -> None:
        """Called after each step."""

    def evaluated(self, step: int, figures: dict[str, float | None]) -> None:
        """Called after each evaluation; losses in nats per character."""

    def finished(self) -> None:
        """Called after the loop, also after an interrupted one."""


class Droppable(Watcher):
    """Pass every event on to another watcher until it cannot write; training then goes on without it."""

    def __init__(self, inner: Watcher) -> None:
        self._inner = inner
        for event in ("message", "started", "stepped", "evaluated", "finished"):
            setattr(self, event, functools.partial(self._pass_on, event))

    def _pass_on(self, event: str, *arguments: Any) -> None:
        try:
            getattr(self._inner, event)(*arguments)
        except OSError:  # a full disk, a reader or a terminal that is gone
            self._inner = Watcher()
        except ValueError as error:
            if "closed file" not in str(error):
                raise
            self._inner = Watcher()
