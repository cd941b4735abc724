"""LoggedRun: what one run wrote into the challenge's log, gathered in one pass with bounded memory.

The events are hyperparameters_configured, dataset_info, model_info, training_step (loss: nats per token) and
validation_step (loss: nats per character). Any of them may be missing; others are counted.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sevenepochs.audit.events import ReadNotes, clean, number, read_events, whole
from sevenepochs.errors import UserError

MAX_RUNS = 200
_MAX_KEPT = 5_000  # evaluations; a stock run has 22
_MAX_EXAMPLES = 20
_MAX_NAMES = 64
_SPIKE_RATIO = 1.3  # of the median of the last 20 training losses


@dataclass
class TrainingSteps:
    """What is kept of the training losses (nats per token)."""

    n: int = 0
    first: dict[int, float] = field(default_factory=dict)  # steps 1 and 2
    last_step: int = 0
    last_loss: float | None = None
    duplicates: int = 0
    strides: Counter[int] = field(default_factory=Counter)
    n_not_finite: int = 0
    not_finite: list[int] = field(default_factory=list)
    n_spikes: int = 0
    spikes: list[tuple[int, float, float]] = field(default_factory=list)  # step, loss, median before
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=20))

    def add(self, step: int, loss: float | None) -> None:
        if self.n and step <= self.last_step:
            self.duplicates += 1
            return
        if self.n and (len(self.strides) < _MAX_NAMES or step - self.last_step in self.strides):
            self.strides[step - self.last_step] += 1
        self.n += 1
        self.last_step = step
        self.last_loss = loss
        if loss is None or not math.isfinite(loss):
            self.n_not_finite += 1
            if len(self.not_finite) < _MAX_EXAMPLES:
                self.not_finite.append(step)
            return
        if step in (1, 2):
            self.first[step] = loss
        # the least is cheap to find and never above the median, which is looked for in a few steps only
        if len(self.recent) == self.recent.maxlen and loss > _SPIKE_RATIO * min(self.recent):
            median = statistics.median(self.recent)
            if loss > _SPIKE_RATIO * median > 0:
                self.n_spikes += 1
                if len(self.spikes) < _MAX_EXAMPLES:
                    self.spikes.append((step, loss, median))
        self.recent.append(loss)

    @property
    def stride(self) -> int:
        """Steps between two logged ones, as a rule."""
        return self.strides.most_common(1)[0][0] if self.strides else 1

    @property
    def n_missing(self) -> int:
        """Steps that a log of this stride should hold and does not."""
        return sum((gap - 1) * times for gap, times in self.strides.items() if gap > 1) if self.stride == 1 else 0


@dataclass
class LoggedRun:
    """One run of a log file."""

    path: Path
    first_line: int
    header: dict[str, Any] = field(default_factory=dict)  # scalars of all opening events, the first value of a name
    opened_by: set[str] = field(default_factory=set)
    is_header_inherited: bool = False
    started_unix: float | None = None
    max_steps: int | None = None
    vocab_size: int | None = None  # of the trained tokenizer; the header's may be a wish
    training: TrainingSteps = field(default_factory=TrainingSteps)
    evaluations: dict[int, float | None] = field(default_factory=dict)  # step -> nats per character; None: no number
    n_evaluations_repeated: int = 0
    n_evaluations_dropped: int = 0
    unknown_events: Counter[str] = field(default_factory=Counter)

    def count(self, *names: str) -> int | None:
        """The first of these header fields that is a count above zero."""
        for name in names:
            if value := whole(self.header.get(name)):
                return value
        return None

    @property
    def has_steps(self) -> bool:
        return bool(self.training.n or self.evaluations)

    @property
    def finite_evaluations(self) -> dict[int, float]:
        return {step: loss for step, loss in self.evaluations.items() if loss is not None and math.isfinite(loss)}


@dataclass
class Log:
    """A log file: its runs, and what reading it met."""

    path: Path
    runs: list[LoggedRun]
    notes: ReadNotes
    n_runs_left_out: int = 0


_HEADERS = ("hyperparameters_configured", "dataset_info", "model_info", "device_info", "scheduler_info")


def read_log(path: Path) -> Log:
    """Read a log in the challenge's format, `.gz` or plain.

    Raises:
        UserError: it cannot be read, or holds none of the challenge's events.
    """
    notes = ReadNotes()
    log = Log(path, [], notes)
    run: LoggedRun | None = None
    for line, event in read_events(path, notes):
        name = event["event"]
        if run is None or _begins_another(run, name, event):
            previous, run = run, LoggedRun(path, line)
            if previous is not None and name == "training_step":
                run.header, run.is_header_inherited = dict(previous.header), True
            if len(log.runs) < MAX_RUNS:
                log.runs.append(run)
            else:
                log.n_runs_left_out += 1
        _add(run, name, event)
    known = [run for run in log.runs if run.opened_by & set(_HEADERS[:3]) or run.has_steps]
    if not known:
        rest = f" (reading it stopped: {clean(notes.unreadable_rest)})" if notes.unreadable_rest else ""
        raise UserError(
            f"{clean(str(path))} holds no event of the challenge's log{rest}; "
            'expected JSON lines such as {"event": "validation_step", "step": 1, "loss": 2.1}'
        )
    # an attempt that stopped before its first step says nothing where another one went on
    log.runs = [run for run in known if run.has_steps] or known[-1:]
    return log


def _begins_another(run: LoggedRun, name: str, event: dict[str, Any]) -> bool:
    if name in _HEADERS[:3]:
        return run.has_steps or name in run.opened_by
    return name == "training_step" and run.training.last_step > 1 and whole(event.get("step")) == 1


def _add(run: LoggedRun, name: str, event: dict[str, Any]) -> None:
    if run.started_unix is None:
        stamp = number(event.get("timestamp"))
        run.started_unix = stamp if stamp is not None and 0 < stamp < 1e11 else None
    if name in ("training_step", "validation_step"):
        step = whole(event.get("step"))
        run.max_steps = whole(event.get("max_steps")) or run.max_steps
        if step is None:
            run.unknown_events[f"{name} without a step"] += 1
        elif name == "training_step":
            run.training.add(step, number(event.get("loss")))
        else:
            _add_evaluation(run, step, number(event.get("loss")))
    elif name in _HEADERS:
        run.opened_by.add(name)
        if name == "dataset_info":
            run.vocab_size = whole(event.get("vocab_size"))
        for key, value in event.items():
            if (
                len(run.header) < _MAX_NAMES
                and isinstance(value, (str, int, float))
                and key not in ("event", "timestamp")
            ):
                run.header.setdefault(clean(key, 60), clean(value) if isinstance(value, str) else value)
    elif len(run.unknown_events) < _MAX_NAMES or clean(name, 60) in run.unknown_events:
        run.unknown_events[clean(name, 60)] += 1


def _add_evaluation(run: LoggedRun, step: int, loss: float | None) -> None:
    if step in run.evaluations:
        run.n_evaluations_repeated += 1
    elif len(run.evaluations) >= _MAX_KEPT:
        # the newest is kept, for the last one is the result
        run.evaluations.popitem()
        run.n_evaluations_dropped += 1
    run.evaluations[step] = loss
