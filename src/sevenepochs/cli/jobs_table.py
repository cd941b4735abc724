"""The progress of runs side by side: one live table, or lines where there is no terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.live import Live

from sevenepochs.campaign.board import Overview, Row
from sevenepochs.cli.console import console, duration
from sevenepochs.metrics import format_metric
from sevenepochs.questions.terminal import table

if TYPE_CHECKING:
    from sevenepochs.campaign.jobs import Planned

_LINE_SECONDS = 15.0
_COLUMNS = (">", "run", ">seed", "on", ">step", ">train loss", ">exact", ">left")


class JobsTable(Overview):
    """A row per run in progress; a line for each that ended."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._last_lines = 0.0

    def message(self, text: str) -> None:
        console.print(text, style="dim", markup=False, soft_wrap=True)

    def show(self, rows: list[Row]) -> None:
        if console.is_terminal:
            if self._live is None:
                self._live = Live(console=console, auto_refresh=False, transient=True)
                self._live.start()
            self._live.update(table(_COLUMNS, map(_cells, rows)), refresh=True)
        elif time.monotonic() - self._last_lines > _LINE_SECONDS:
            self._last_lines = time.monotonic()
            for row in rows:
                console.print("  ".join(filter(None, _cells(row))), markup=False, soft_wrap=True)

    def ended(self, number: int, one: Planned) -> None:
        exact = f", exact {format_metric('exact_val_loss', one.result.exact)}" if one.result is not None else ""
        state = {"resume": "stopped", "to do": "not begun"}.get(one.state, one.state)
        console.print(
            f"{number + 1}: {one.job.name}, seed {one.job.seed}: {state}{exact}", markup=False, soft_wrap=True
        )

    def finished(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _cells(row: Row) -> tuple[str, ...]:
    facts = row.facts
    step = f"{facts['step']}/{facts['n_steps']}" if "step" in facts else "begins" if facts else "waits"
    loss = format_metric("train_loss_nats_per_token", facts["train_loss"]) if "train_loss" in facts else ""
    exact = format_metric("exact_val_loss", facts["exact"]) if "exact" in facts else ""
    left = duration(facts["seconds_left"]) if "seconds_left" in facts else ""
    return str(row.number + 1), row.job.name, str(row.job.seed), facts.get("node", ""), step, loss, exact, left
