"""A run's files as the page shows them: what it is, its curves, its certificate and its config. No torch."""

from __future__ import annotations

import json
import math
from typing import Any

from sevenepochs.errors import UserError
from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.store.results import forget_folders
from sevenepochs.store.run import Run, layout


def card(run: Run) -> dict[str, Any]:
    """What the pickers and headings need. A damaged run has an `error` and little else."""
    facts: dict[str, Any] = {"name": run.name, "state": run.state}
    try:
        summary, config = run.summary or {}, run.config
        facts |= {
            "recipe": run.recipe,
            "seed": run.seed,
            "created_utc": run.info["created_utc"],
            "corpus": run.corpus.get("name"),
            "validation_titles": (run.corpus.get("split") or {}).get("validation_titles_sha256"),
            "exact_val_loss": (summary.get("figures") or {}).get("exact_val_loss"),
            "exact_val_loss_text": format_metric(
                "exact_val_loss", (summary.get("figures") or {}).get("exact_val_loss"), unit=True
            ),
            "parameters_text": format_metric("parameters", summary.get("parameters")),
            "tokenizer": _tokenizer(config),
        }
        if run.failure is not None:
            facts["error"] = f"run {run.name} failed: {run.failure.get('message', 'no reason given')}"
    except (UserError, OSError, KeyError, TypeError, AttributeError) as error:
        facts["error"] = str(error) if isinstance(error, UserError) else f"run {run.name} is damaged: {error!r}"
    return facts


def curves(run: Run, max_points: int) -> dict[str, Any]:
    """Validation loss at each evaluation, and training loss averaged to at most `max_points`, by epoch.

    Raises:
        UserError: a file is missing or damaged.
    """
    steps_per_epoch = _steps_per_epoch(run)
    rows = list(run.metrics())
    epochs = (run.config.get("training") or {}).get("epochs")
    evaluations = [
        {"epoch": row["step"] / steps_per_epoch, "step": row["step"], "exact_val_loss": row["exact_val_loss"]}
        for row in rows
        if _finite(row.get("exact_val_loss"))
    ]
    training = [row for row in rows if _finite(row.get("train_loss_nats_per_token"))]
    width = max(1, math.ceil(len(training) / max_points))
    bins = [training[low : low + width] for low in range(0, len(training), width)]
    return {
        "name": run.name,
        "state": run.state,
        "epochs": epochs if isinstance(epochs, int) else 1,
        "evaluations": evaluations,
        "training": [
            {
                "epoch": sum(row["step"] for row in rows) / len(rows) / steps_per_epoch,
                "train_loss_nats_per_token": sum(row["train_loss_nats_per_token"] for row in rows) / len(rows),
            }
            for rows in bins
        ],
        "steps_per_training_point": width,
    }


def papers(run: Run) -> dict[str, Any]:
    """Figures, certificate, config and machine; folders of this machine are left out.

    Raises:
        UserError: a file is missing or damaged.
    """
    summary = run.summary or {}
    environment = run.environment
    config = run.config
    if isinstance(config.get("corpus"), dict):
        forget_folders(config["corpus"])
    figures = summary.get("figures") or {}
    machine = environment.get("run") or {}
    return {
        "name": run.name,
        "state": run.state,
        "figures": [
            {
                "name": metric.name,
                "label": metric.label,
                "text": format_metric(metric.name, figures[metric.name], unit=True),
                "meaning": metric.meaning,
            }
            for metric in METRICS.values()
            if metric.name in figures
        ],
        "certificate": run.certificate,
        "config": config,
        "corpus": run.corpus,
        "machine": {
            "cpu": environment.get("cpu_model"),
            "device": machine.get("device_name") or machine.get("device"),
            "threads": machine.get("threads"),
            "precision": machine.get("precision"),
            "torch": (environment.get("packages") or {}).get("torch"),
            "commit": (environment.get("source") or {}).get("commit"),
            "time": format_metric("elapsed_seconds", summary.get("elapsed_seconds"), unit=True),
        },
    }


def _steps_per_epoch(run: Run) -> int:
    """From the log's head, where a run in progress has it too."""
    for line in run.read_text(layout.MAINRUN_LOG).splitlines()[:20]:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("event") == "dataset_info" and event.get("batches_per_epoch"):
            return int(event["batches_per_epoch"])
    raise UserError(f"{layout.MAINRUN_LOG} of run {run.name} does not say how many steps an epoch has")


def _tokenizer(config: dict[str, Any]) -> str:
    """E.g. "bpe 16,000"."""
    slot = config.get("tokenizer") or {}
    name = str(slot.get("kind", "")).rpartition(":")[2]
    size = slot.get("vocab_size")
    return f"{name} {size:,}" if isinstance(size, int) else name


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
