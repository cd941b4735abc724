"""What people see: tables of figures, and the progress of a run."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.rule import Rule
from rich.table import Table

from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.training import hooks

_PLAIN_SECONDS = 15.0  # between progress lines where there is no terminal
_BAR_COLUMNS = 24
_TEXT_COLUMNS = 96  # what stands beside the bar at most; a narrower terminal goes without the bar itself
_PIPE_COLUMNS = 500
_RULE_COLUMNS = 80

# In a pipe lines are for other programs: as long as they come, unless the environment names a width.
_is_terminal = sys.stdout is not None and sys.stdout.isatty()  # None: closed, in a program that did not call `prepare`
console = Console(highlight=False, width=None if _is_terminal or "COLUMNS" in os.environ else _PIPE_COLUMNS)
errors = Console(stderr=True, highlight=False)


def heading(text: str, out: Console = console) -> None:
    """A line across the page with the text in it."""
    out.print(Rule(text), width=min(out.width, _RULE_COLUMNS))


def duration(seconds: float) -> str:
    """1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def figures_table(columns: Mapping[str, Mapping[str, float | None]]) -> Table:
    """One row a figure, one column for each named set of figures."""
    table = Table(box=None, pad_edge=False)
    table.add_column("figure")
    for name in columns:
        table.add_column(name, justify="right")
    table.add_column("unit")
    for name, metric in METRICS.items():
        if any(name in figures for figures in columns.values()):
            style = "bold" if name == "exact_val_loss" else None
            cells = [format_metric(name, figures.get(name)) for figures in columns.values()]
            table.add_row(name, *cells, metric.unit, style=style)
    return table


class ConsoleWatcher(hooks.Watcher):
    """A live bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._plan: hooks.Plan | None = None
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._exact: float | None = None
        self._last_line = 0.0

    def message(self, text: str) -> None:
        console.print(text, style="dim")

    def started(self, plan: hooks.Plan) -> None:
        self._plan = plan
        console.print(
            f"{plan.run_path}: {format_metric('parameters', plan.parameters)} parameters, {plan.n_steps:,} steps"
        )
        if console.is_terminal:
            bar = [BarColumn(bar_width=_BAR_COLUMNS)] if console.width >= _BAR_COLUMNS + _TEXT_COLUMNS else []
            self._bar = Progress(
                TextColumn("epoch {task.fields[epoch]}"),
                *bar,
                TextColumn("{task.completed}/{task.total} {task.fields[text]}"),
                console=console,
            )
            self._task = self._bar.add_task(
                "training", total=plan.n_steps, completed=plan.first_step - 1, epoch="1/?", text="first step ..."
            )
            self._bar.start()

    def stepped(self, progress: hooks.Progress) -> None:
        assert self._plan is not None, "started() comes before stepped()"
        plan = self._plan
        epochs = plan.n_steps // plan.steps_per_epoch
        epoch = f"{(progress.step - 1) // plan.steps_per_epoch + 1}/{epochs}"
        # 80 columns hold it without the last unit, which stands in the line that each evaluation prints
        loss = format_metric("train_loss_nats_per_token", progress.train_loss_nats_per_token, unit=True)
        text = loss
        if progress.step > plan.first_step:  # the first one compiles, and says nothing of the others' speed
            speed = format_metric("tokens_per_second", progress.tokens_per_second, unit=True)
            remaining = (plan.n_steps - progress.step) * plan.targets_per_step / progress.tokens_per_second
            text += f" {speed} {duration(remaining)} left"
        if self._exact is not None:
            text += f" exact {format_metric('exact_val_loss', self._exact)}"
        if self._bar is not None:
            self._bar.update(self._task, completed=progress.step, epoch=epoch, text=text)
        elif time.monotonic() - self._last_line > _PLAIN_SECONDS:
            self._last_line = time.monotonic()
            console.print(f"epoch {epoch} step {progress.step}/{plan.n_steps} {text}", soft_wrap=True)

    def evaluated(self, step: int, figures: dict[str, float | None]) -> None:
        self._exact = figures["exact_val_loss"]
        shown = "  ".join(f"{METRICS[name].label} {format_metric(name, value)}" for name, value in figures.items())
        console.print(f"[dim]step {step:>5}[/dim]  {shown}  [dim]nats/char[/dim]", soft_wrap=True)

    def finished(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
