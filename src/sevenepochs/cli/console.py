"""Output of the command line: tables of figures, JSON, notes, and the progress of a run or of an analysis."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.rule import Rule
from rich.table import Table

from sevenepochs.ask.predictions import Progress as AnalysisProgress
from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.questions.terminal import table
from sevenepochs.store.run import storage
from sevenepochs.training import hooks

_PLAIN_SECONDS = 15.0  # between progress lines where there is no terminal
_BAR_COLUMNS = 24
_TEXT_COLUMNS = 96  # the widest text beside the bar; a narrower terminal goes without the bar
_PIPE_COLUMNS = 500
_RULE_COLUMNS = 80

# In a pipe lines are for other programs: as long as they come, unless the environment names a width.
_is_terminal = sys.stdout is not None and sys.stdout.isatty()  # None: closed, in a program that did not call `prepare`
console = Console(highlight=False, width=None if _is_terminal or "COLUMNS" in os.environ else _PIPE_COLUMNS)
errors = Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """Print a dim line to the error stream, beside the output."""
    errors.print(text, style="dim", markup=False, soft_wrap=True)


def print_json(data: Any) -> None:
    """Print strict JSON, NaN and infinities as null. Letters that the output's encoding lacks are escaped."""
    text = storage.json_text(data)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=2) + "\n"
    sys.stdout.write(text)


def write_figure(svg: str, file: Path) -> None:
    """Write the figure that `--figure` asks for. Raises UserError: the file cannot be written."""
    with storage.disk_errors(str(file), "name another file"):
        storage.write_text(file, svg)
    note(f"the figure is in {file}")


def heading(text: str, out: Console = console) -> None:
    """Print a line across the page with the text in it."""
    out.print(Rule(text), width=min(out.width, _RULE_COLUMNS))


def duration(seconds: float) -> str:
    """Return 40 s, 52 min, 3.2 h, or from two days on 2 days."""
    if seconds < 3600:
        return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:.0f} days"


def figures_table(columns: Mapping[str, Mapping[str, float | None]]) -> Table:
    """Return a table with a row per figure and a column per named set of figures."""
    made = table(("figure", *(f">{name}" for name in columns), "unit"))
    for name, metric in METRICS.items():
        if any(name in figures for figures in columns.values()):
            cells = [format_metric(name, figures.get(name)) for figures in columns.values()]
            unit = "" if metric.unit == "%" else metric.unit  # its numbers have the sign
            made.add_row(metric.label, *cells, unit, style="bold" if name == "exact_val_loss" else None)
    return made


@contextmanager
def analysis_progress() -> Iterator[AnalysisProgress]:
    """Show a bar on a terminal's error stream. It appears with the first step of a slow analysis and starts again with
    the next one's."""
    columns = BarColumn(bar_width=_BAR_COLUMNS), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn()
    bar = Progress(*columns, console=errors, disable=not errors.is_terminal)
    before = 0

    def progress(done: int, total: int) -> None:
        nonlocal before
        if not bar.tasks:
            bar.start()
            bar.add_task("analysis", total=total)
        elif done < before:
            bar.reset(bar.tasks[0].id, total=total)
        bar.update(bar.tasks[0].id, completed=done, total=total)
        before = done

    try:
        yield progress
    finally:
        bar.stop()


def watcher_here(progress: bool | None) -> hooks.Watcher | None:
    """Return what prints a run's progress: a bar in a terminal, a line per minute in a notebook, which keeps them all.

    Args:
        progress: None for a watcher in terminals and notebooks only, True for one everywhere, False for none.
    """
    if progress is False:
        return None
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if hasattr(shell, "kernel"):  # IPython in a terminal has none
        # ipykernel asks programs for colours, and rich would draw HTML
        plain = Console(highlight=False, force_terminal=False, force_jupyter=False, width=_PIPE_COLUMNS)
        return ConsoleWatcher(60.0, plain)
    return ConsoleWatcher() if progress or (sys.stdout is not None and sys.stdout.isatty()) else None


class ConsoleWatcher(hooks.Watcher):
    """A live bar on a terminal, elsewhere a line every `seconds`; a line per evaluation unless told otherwise."""

    def __init__(
        self, seconds: float = _PLAIN_SECONDS, out: Console | None = None, *, lists_evaluations: bool = True
    ) -> None:
        self.seconds = seconds
        self._out = console if out is None else out
        self._lists_evaluations = lists_evaluations
        self._plan: hooks.Plan | None = None
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._exact: float | None = None
        self._last_line = 0.0

    def message(self, text: str) -> None:
        self._out.print(text, style="dim")

    def started(self, plan: hooks.Plan) -> None:
        self._plan = plan
        parameters = format_metric("parameters", plan.parameters)
        self._out.print(f"{plan.run_path}: {parameters} parameters, {plan.n_steps:,} steps")
        if self._out.is_terminal:
            bar = [BarColumn(bar_width=_BAR_COLUMNS)] if self._out.width >= _BAR_COLUMNS + _TEXT_COLUMNS else []
            text = TextColumn("{task.completed}/{task.total} {task.fields[text]}")
            self._bar = Progress(TextColumn("epoch {task.fields[epoch]}"), *bar, text, console=self._out)
            self._task = self._bar.add_task(
                "training", total=plan.n_steps, completed=plan.first_step - 1, epoch="1/?", text="first step ..."
            )
            self._bar.start()

    def stepped(self, progress: hooks.Progress) -> None:
        assert self._plan is not None, "started() comes before stepped()"
        plan = self._plan
        epochs = plan.n_steps // plan.steps_per_epoch
        epoch = f"{(progress.step - 1) // plan.steps_per_epoch + 1}/{epochs}"
        # 80 columns hold it without the last unit, which is in the line of each evaluation
        text = format_metric("train_loss_nats_per_token", progress.train_loss_nats_per_token, unit=True)
        if progress.step > plan.first_step:  # the first one compiles: its speed says nothing about the others'
            speed = format_metric("tokens_per_second", progress.tokens_per_second, unit=True)
            remaining = (plan.n_steps - progress.step) * plan.targets_per_step / progress.tokens_per_second
            text += f" {speed} {duration(remaining)} left"
        if self._exact is not None:
            text += f" exact {format_metric('exact_val_loss', self._exact)}"
        if self._bar is not None:
            self._bar.update(self._task, completed=progress.step, epoch=epoch, text=text)
        elif time.monotonic() - self._last_line > self.seconds:
            self._last_line = time.monotonic()
            self._out.print(f"epoch {epoch} step {progress.step}/{plan.n_steps} {text}", soft_wrap=True)

    def evaluated(self, step: int, figures: dict[str, float | None]) -> None:
        self._exact = figures["exact_val_loss"]
        if not self._lists_evaluations:
            return
        shown = "  ".join(f"{METRICS[name].label} {format_metric(name, value)}" for name, value in figures.items())
        self._out.print(f"[dim]step {step:>5}[/dim]  {shown}  [dim]nats/char[/dim]", soft_wrap=True)

    def finished(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
