"""Reads what runs wrote into the challenge's log, in one pass with bounded memory.

The events are hyperparameters_configured, dataset_info, model_info, training_step (loss: nats per token) and
validation_step (loss: nats per character): JSON lines, plain or gz, what the challenge's program prints of them, or
what a notebook's cells printed. Nothing in a log is trusted: lines may be cut, endless, of another encoding, no JSON.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import math
import re
import statistics
import zlib
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from sevenepochs.audit.folder import printed
from sevenepochs.errors import UserError

MAX_LINE_CHARS = 1_000_000
# Unpacked; what comes after is left unread, and the report says so. A stock log has 1,000 lines and 170 kB.
MAX_CHARS = 512 * 1024 * 1024
MAX_LINES = 4_000_000
_MAX_RUNS = 200
_LARGEST = 1e15  # no count or time in a log is larger
_MAX_KEPT = 5_000  # evaluations; a stock run has 22
_MAX_NAMES = 64
_SPIKE_RATIO = 1.3  # of the median of the last 20 training losses
_HEADERS = ("hyperparameters_configured", "dataset_info", "model_info", "device_info", "scheduler_info")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PRINTED = re.compile(rf"(?:\[\s*(\d+)/(\d+)\]\s*)?\b(training_step|validation_step|{'|'.join(_HEADERS)}):\s(.*)")
_FIELD = re.compile(r"(\w{1,40})=([^,\s]{1,80})")
_VALIDATION = re.compile(r"val\w{0,20}[ _-]{0,3}loss\W{0,4}(\d+\.\d+)", re.IGNORECASE)
_TRAINING = re.compile(r"(?:train\w{0,10}[ _-]{0,3}|^|[^\w])loss\W{0,4}(\d+\.\d+)", re.IGNORECASE)
_STEP = re.compile(r"(?:step|iter\w{0,10})\W{0,4}(\d{1,15})", re.IGNORECASE)


@dataclass
class TrainingSteps:
    """Summary of the training losses (nats per token)."""

    n: int = 0
    first: dict[int, float] = field(default_factory=dict)  # steps 1 and 2
    last_step: int = 0
    n_repeated: int = 0  # logged again or out of order, and left out
    strides: Counter[int] = field(default_factory=Counter)
    n_not_finite: int = 0
    first_not_finite: int | None = None
    n_spikes: int = 0
    first_spike: tuple[int, float, float] | None = None  # step, loss, median before
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=20))

    def add(self, step: int, loss: float | None) -> None:
        if self.n and step <= self.last_step:
            self.n_repeated += 1
            return
        if self.n and (len(self.strides) < _MAX_NAMES or step - self.last_step in self.strides):
            self.strides[step - self.last_step] += 1
        self.n += 1
        self.last_step = step
        if loss is None or not math.isfinite(loss):
            self.n_not_finite += 1
            self.first_not_finite = self.first_not_finite or step
            return
        if step in (1, 2):
            self.first[step] = loss
        # the least is cheap to find and never above the median, which is looked for in a few steps only
        if len(self.recent) == self.recent.maxlen and loss > _SPIKE_RATIO * min(self.recent):
            median = statistics.median(self.recent)
            if loss > _SPIKE_RATIO * median > 0:
                self.n_spikes += 1
                self.first_spike = self.first_spike or (step, loss, median)
        self.recent.append(loss)

    @property
    def n_missing(self) -> int:
        """Number of absent steps in a log that holds every one as a rule."""
        is_each = not self.strides or self.strides.most_common(1)[0][0] == 1
        return sum((gap - 1) * times for gap, times in self.strides.items() if gap > 1) if is_each else 0


@dataclass
class LoggedRun:
    """One run of a log file."""

    first_line: int
    header: dict[str, Any] = field(default_factory=dict)  # scalars of all opening events, the first value of a name
    opened_by: set[str] = field(default_factory=set)
    is_header_inherited: bool = False
    started_unix: float | None = None
    max_steps: int | None = None
    vocab_size: int | None = None  # of the trained tokenizer; the header's may be a wish
    training: TrainingSteps = field(default_factory=TrainingSteps)
    evaluations: dict[int, float | None] = field(default_factory=dict)  # step -> nats per character; None: no number
    n_evaluations_dropped: int = 0
    unknown_events: Counter[str] = field(default_factory=Counter)

    def count(self, *names: str) -> int | None:
        """Return the first of these header fields that is a count."""
        return next((value for name in names if (value := whole(self.header.get(name)))), None)

    @property
    def has_steps(self) -> bool:
        return bool(self.training.n or self.evaluations)

    @property
    def last_step(self) -> int:
        return max(self.training.last_step, max(self.evaluations, default=0))

    @property
    def finite_evaluations(self) -> dict[int, float]:
        return {step: loss for step, loss in self.evaluations.items() if loss is not None and math.isfinite(loss)}

    def add(self, event: dict[str, Any]) -> None:
        name = event["event"]
        if self.started_unix is None:
            stamp = number(event.get("timestamp"))
            self.started_unix = stamp if stamp is not None and 0 < stamp < 1e11 else None
        if name in ("training_step", "validation_step"):
            step, loss = whole(event.get("step")), number(event.get("loss"))
            self.max_steps = whole(event.get("max_steps")) or self.max_steps
            if step is None:
                self.unknown_events[f"{name} without a step"] += 1
            elif name == "training_step":
                self.training.add(step, loss)
            else:
                if step not in self.evaluations and len(self.evaluations) >= _MAX_KEPT:
                    self.evaluations.popitem()  # the newest is kept, for the last one is the result
                    self.n_evaluations_dropped += 1
                self.evaluations[step] = loss
        elif name in _HEADERS:
            self.opened_by.add(name)
            if name == "dataset_info":
                self.vocab_size = whole(event.get("vocab_size"))
            for key, value in event.items():
                is_field = isinstance(value, str | int | float) and key not in ("event", "timestamp")
                if is_field and len(self.header) < _MAX_NAMES:
                    self.header.setdefault(clean(key, 60), clean(value) if isinstance(value, str) else value)
        elif len(self.unknown_events) < _MAX_NAMES or clean(name, 60) in self.unknown_events:
            self.unknown_events[clean(name, 60)] += 1

    def is_ended_by(self, event: dict[str, Any]) -> bool:
        """Whether an event begins another run."""
        if event["event"] in _HEADERS[:3]:
            return self.has_steps or event["event"] in self.opened_by
        return event["event"] == "training_step" and self.training.last_step > 1 and whole(event.get("step")) == 1


@dataclass
class Log:
    """A log file: its runs, and what was met while it was read."""

    path: Path
    runs: list[LoggedRun] = field(default_factory=list)
    lines: int = 0
    not_json: int = 0
    overlong: int = 0
    truncated_last_line: bool = False
    unreadable_rest: str | None = None
    cut_at_limit: bool = False


def read_log(path: Path) -> Log:
    """Read a log in the challenge's format, plain or gz, or a notebook's outputs.

    Raises:
        UserError: it cannot be read, or holds none of the challenge's events.
    """
    log = Log(path)
    run: LoggedRun | None = None
    try:
        for event in _events(log):
            if run is None or run.is_ended_by(event):
                if len(log.runs) == _MAX_RUNS:
                    log.cut_at_limit = True
                    break
                previous, run = run, LoggedRun(log.lines)
                if previous is not None and event["event"] == "training_step":
                    run.header, run.is_header_inherited = dict(previous.header), True
                log.runs.append(run)
            run.add(event)
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{clean(str(path))} cannot be read: {clean(reason)}") from None
    known = [run for run in log.runs if run.opened_by & set(_HEADERS[:3]) or run.has_steps]
    if not known:
        rest = f" (reading it stopped: {clean(log.unreadable_rest)})" if log.unreadable_rest else ""
        raise UserError(
            f"{clean(str(path))} holds no event of the challenge's log{rest}; "
            'expected JSON lines such as {"event": "validation_step", "step": 1, "loss": 2.1}'
        )
    # an attempt that stopped before its first step says nothing where another one went on
    log.runs = [run for run in known if run.has_steps] or known[-1:]
    return log


def _events(log: Log) -> Iterator[dict[str, Any]]:
    """Yield the events of a log; other lines are counted."""
    is_notebook = log.path.suffix == ".ipynb"
    lines = _lines(io.StringIO(printed(log.path), newline=None), log) if is_notebook else _lines_of_file(log)
    for line in lines:
        line = line.strip(" \t\r\n\0")
        events = _events_in(line, is_notebook)
        # without its line end, a line that parses is whole, and one that is no JSON is just another line
        log.truncated_last_line &= not events and line.startswith("{") and not is_notebook
        log.not_json += not (events or not line or log.truncated_last_line or is_notebook)
        yield from events


def _lines_of_file(log: Log) -> Iterator[str]:
    with log.path.open("rb") as raw:
        try:
            binary = gzip.GzipFile(fileobj=raw) if raw.peek(2).startswith(b"\x1f\x8b") else raw
            is_utf16 = binary.peek(2).startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            encoding = "utf-16" if is_utf16 else "utf-8-sig"
            # newline=None reads \n, \r\n and \r alike
            yield from _lines(io.TextIOWrapper(binary, encoding=encoding, errors="replace", newline=None), log)
        except (OSError, EOFError, zlib.error, UnicodeError) as error:
            log.unreadable_rest = str(error)


def _lines(text: TextIO, log: Log) -> Iterator[str]:
    """Yield the lines within the bounds; what is longer is skipped without being held."""
    read_chars, in_overlong = 0, False
    while line := text.readline(MAX_LINE_CHARS):
        read_chars += len(line)
        if read_chars > MAX_CHARS or log.lines >= MAX_LINES:
            log.cut_at_limit = True
            return
        is_whole = line.endswith("\n")
        log.lines += not in_overlong
        is_overlong = in_overlong or (len(line) >= MAX_LINE_CHARS and not is_whole)
        log.overlong += is_overlong and not in_overlong
        in_overlong = is_overlong and not is_whole
        log.truncated_last_line = not is_whole and not is_overlong
        if not is_overlong:
            yield line


def _events_in(line: str, is_notebook: bool) -> list[dict[str, Any]]:
    """Return the events of a line: JSON, whatever a launcher wrote before it, or as the challenge's program prints it.

    In a notebook a line that names a step and losses counts as well.
    """
    line = _COLOUR.sub("", line)
    begin = 0 if line.startswith("{") else line.find('{"event"', 0, 400)
    try:
        event = json.loads(line[begin:]) if begin >= 0 else None
    except (ValueError, RecursionError):
        event = None
    if isinstance(event, dict) and isinstance(event.get("event"), str):
        return [event]
    line = line[:4_000]
    if (found := _PRINTED.search(line)) is not None:
        fields = {name: value if number(value) is None else number(value) for name, value in _FIELD.findall(found[4])}
        return [{**fields, "event": found[3], **({"step": found[1], "max_steps": found[2]} if found[1] else {})}]
    step = _STEP.search(line) if is_notebook else None
    if step is None:
        return []
    losses = {"training_step": _TRAINING.search(_VALIDATION.sub(" ", line))}
    losses["validation_step"] = _VALIDATION.search(line)
    return [{"event": name, "step": step[1], "loss": loss[1]} for name, loss in losses.items() if loss is not None]


def number(value: Any) -> float | None:
    """Return a loss as logged: NaN and infinities included, also where they are text; None for what is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > 40:
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.inf if isinstance(value, int) else None


def whole(value: Any) -> int | None:
    """Return a count as logged; None for what cannot be one."""
    found = number(value)
    return int(found) if found is not None and 0 <= found <= _LARGEST and found == int(found) else None


def clean(text: str, limit: int = 200) -> str:
    """Return text from outside, safe to print anywhere: printable characters only, not too many."""
    shown = "".join(c if c.isprintable() else "?" for c in text[: limit + 1].encode("utf-8", "replace").decode())
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
