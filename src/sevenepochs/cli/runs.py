"""`runs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Json, RunsFolder


def runs(runs: RunsFolder = Path("runs"), json: Json = False) -> None:
    """List runs: loss, state, age."""
    from rich.table import Table

    from sevenepochs.cli.console import console, duration
    from sevenepochs.errors import UserError
    from sevenepochs.metrics import format_metric
    from sevenepochs.store.run import list_runs

    rows: list[dict[str, Any]] = []
    for run in list_runs(runs):
        try:
            summary = run.summary
            evaluations = run.evaluations()
            last = evaluations[-1]["exact_val_loss"] if evaluations else None
            loss = summary["figures"]["exact_val_loss"] if summary else last
            rows.append({"run": run.name, "state": run.state, "exact_val_loss": loss, "age_seconds": run.age_seconds})
        except UserError as error:
            rows.append({"run": run.name, "state": f"damaged: {error}", "exact_val_loss": None, "age_seconds": None})
    if json:
        print_json(rows)
        return
    if not rows:
        console.print(f"no runs in {runs}; start one with: sevenepochs train demo_adamw")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "state", "exact (nats/char)", "started"):
        # a name that is cut cannot be asked for
        table.add_column(column, justify="right" if column.startswith("exact") else "left", overflow="fold")
    for row in rows:
        seconds = row["age_seconds"]
        age = "-" if seconds is None else f"{duration(seconds)} ago" if seconds >= 0 else "- (the clock went back)"
        table.add_row(row["run"], row["state"], format_metric("exact_val_loss", row["exact_val_loss"]), age)
    console.print(table)
