"""What a run tells whoever watches it. Training never prints; the command line passes a Watcher that does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Plan(NamedTuple):
    """What is about to happen, known before the first step."""

    run_path: Path
    first_step: int
    n_steps: int
    steps_per_epoch: int
    targets_per_step: int
    parameters: int
    floor_nats_per_char: float | None


class Progress(NamedTuple):
    """After each step. The loss is nats per token."""

    step: int
    train_loss_nats_per_token: float
    tokens_per_second: float
    elapsed_seconds: float


class Watcher:
    """The silent watcher; override what is of interest."""

    def message(self, text: str) -> None:
        """One line about what is being done."""

    def started(self, plan: Plan) -> None:
        """The loop begins."""

    def stepped(self, progress: Progress) -> None:
        """A step is over."""

    def evaluated(self, step: int, figures: dict[str, float | None]) -> None:
        """An evaluation is over; losses in nats per character."""

    def finished(self) -> None:
        """The loop is over, also when it was interrupted."""


class Droppable(Watcher):
    """Pass everything on to another watcher until it cannot write; training then goes on without it."""

    def __init__(self, inner: Watcher) -> None:
        self._inner = inner

    def message(self, text: str) -> None:
        self._tell(lambda: self._inner.message(text))

    def started(self, plan: Plan) -> None:
        self._tell(lambda: self._inner.started(plan))

    def stepped(self, progress: Progress) -> None:
        self._tell(lambda: self._inner.stepped(progress))

    def evaluated(self, step: int, figures: dict[str, float | None]) -> None:
        self._tell(lambda: self._inner.evaluated(step, figures))

    def finished(self) -> None:
        self._tell(self._inner.finished)

    def _tell(self, call: Callable[[], None]) -> None:
        try:
            call()
        except OSError:  # a full disk, a reader or a terminal that is gone
            self._inner = Watcher()
        except ValueError as error:
            if "closed file" not in str(error):
                raise
            self._inner = Watcher()
