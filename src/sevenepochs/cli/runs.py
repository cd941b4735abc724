"""`runs` and `eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sevenepochs.cli.console import console, duration, figures_table, note, print_json
from sevenepochs.cli.options import Json, Positional, RunName, Runs, RunsFolder, Titles
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.protocol.certificate import CAUSALITY_TOLERANCE_NATS
from sevenepochs.questions.terminal import table
from sevenepochs.store.run import Run, list_runs


def runs(runs: RunsFolder = Path("runs"), json: Json = False) -> None:
    """List runs: loss, state, age."""
    rows = [_row(run) for run in list_runs(runs)]
    if json:
        print_json(rows)
        return
    if not rows:
        console.print(f"no runs in {runs}; start one with: sevenepochs train demo_adamw")
        return
    columns = ("run", "state", ">exact (nats/char)", "started", "changes" * any(row["changes"] for row in rows))
    listed = table(columns, fold=True)  # a name that is cut cannot be asked for
    for row in rows:
        seconds = row["age_seconds"]
        age = "-" if seconds is None else f"{duration(seconds)} ago" if seconds >= 0 else "- (the clock went back)"
        loss, changes = format_metric("exact_val_loss", row["exact_val_loss"]), " ".join(row["changes"])
        listed.add_row(row["run"], row["state"], loss, age, changes)
    console.print(listed)


def _row(run: Run) -> dict[str, Any]:
    try:
        evaluations = run.evaluations()
        latest = evaluations[-1]["exact_val_loss"] if evaluations else None
        loss = run.summary["figures"]["exact_val_loss"] if run.summary else latest
        told = {"state": run.state, "exact_val_loss": loss, "age_seconds": run.age_seconds, "changes": run.changes}
    except UserError as error:
        told = {"state": f"damaged: {error}", "exact_val_loss": None, "age_seconds": None, "changes": []}
    return {"run": run.name, **told}


def evaluate(run: Positional[RunName], *, titles: Titles, runs: Runs, json: Json = False) -> None:
    """Score a finished run again in fp32 and measure its causality, on its own corpus or on another one.

    Of another corpus the validation split is scored; nothing is trained on it.
    """
    from sevenepochs.ask.evaluate import evaluate as score

    corpus = titles.config()
    result = score(runs.find(run), corpus, note)
    if json:
        print_json(result)
        return
    console.print(f"{result['run']} on {result['n_titles']:,} validation titles of {result['corpus']}, fp32")
    console.print(figures_table({"fp32": result["figures"]}))
    moved = result["causality_violation_nats"]
    style = "dim" if moved <= CAUSALITY_TOLERANCE_NATS else "red"
    console.print(f"later tokens move earlier log-probabilities by at most {moved:.1e} nats", style=style)
    tokenizer = result["tokenizer"]
    if not tokenizer["reversible"]:
        changed = f"{tokenizer['n_changed']:,} titles changed, {tokenizer['n_unknown_tokens']:,} <unk>"
        console.print(f"the run's tokenizer loses text here: {changed}; the loss is that of another text", style="red")
