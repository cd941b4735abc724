"""A run's files as the page shows them: overview, curves, certificate, config, best and worst titles."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from sevenepochs.comparison.title_losses import validation_titles
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.titles import title_chars
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.protocol.budget import EOS
from sevenepochs.questions.where_loss import worst_and_best
from sevenepochs.serve.guard import Refusal
from sevenepochs.store.results import forget_folders
from sevenepochs.store.run import Run, layout
from sevenepochs.store.title_losses import by_title

_KNOWN = 200  # values of a fact that a field suggests


def overview(run: Run) -> dict[str, Any]:
    """Return what pickers and headings need. A damaged run has an `error` and little else."""
    listed: dict[str, Any] = {"name": run.name, "state": run.state}
    try:
        summary, config = run.summary or {}, run.config
        exact = (summary.get("figures") or {}).get("exact_val_loss")
        listed |= {
            "recipe": run.recipe,
            "seed": run.seed,
            "created_utc": run.info["created_utc"],
            "corpus": run.corpus.get("name"),
            "validation_titles": (run.corpus.get("split") or {}).get("validation_titles_sha256"),
            "exact_val_loss": exact,
            "exact_val_loss_text": format_metric("exact_val_loss", exact, unit=True),
            "parameters_text": format_metric("parameters", summary.get("parameters")),
            "tokenizer": _tokenizer(config),
        }
        if (run.path / layout.FACTS).exists():
            table = json.loads(run.read_text(layout.FACTS))
            listed["facts"] = [
                {"name": name.partition(":")[0], "known": known[:_KNOWN]}
                for name, known in zip(table["columns"], table["known"], strict=True)
            ]
        if run.failure is not None:
            listed["error"] = f"run {run.name} failed: {run.failure.get('message', 'no reason given')}"
    except (UserError, OSError, KeyError, TypeError, AttributeError) as error:
        listed["error"] = str(error) if isinstance(error, UserError) else f"run {run.name} is damaged: {error!r}"
    return listed


def curves(run: Run, max_points: int) -> dict[str, Any]:
    """Return validation loss at each evaluation, and training loss averaged to at most `max_points`, by epoch. Raises
    UserError: a file is missing or damaged."""
    steps_per_epoch = _steps_per_epoch(run)
    rows = list(run.metrics())
    epochs = (run.config.get("training") or {}).get("epochs")
    evaluations = [row for row in rows if row.get("exact_val_loss") is not None]
    training = [row for row in rows if row.get("train_loss_nats_per_token") is not None]
    width = max(1, math.ceil(len(training) / max_points))
    bins = [training[low : low + width] for low in range(0, len(training), width)]
    return {
        "name": run.name,
        "state": run.state,
        "epochs": epochs if isinstance(epochs, int) else 1,
        "evaluations": [
            {"epoch": row["step"] / steps_per_epoch, "step": row["step"], "exact_val_loss": row["exact_val_loss"]}
            for row in evaluations
        ],
        "training": [
            {
                "epoch": sum(row["step"] for row in rows) / len(rows) / steps_per_epoch,
                "train_loss_nats_per_token": sum(row["train_loss_nats_per_token"] for row in rows) / len(rows),
            }
            for rows in bins
        ],
        "steps_per_training_point": width,
    }


def details(run: Run) -> dict[str, Any]:
    """Return figures, certificate, config and machine; folders of this machine are left out. Raises UserError: a file
    is missing or damaged."""
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


def extreme_titles(run: Run, n: int, corpus: CorpusConfig | None = None) -> dict[str, Any]:
    """Return the validation titles that a finished run predicted worst and best, from the losses it stored.

    There are `worst` and `best` under each of two measures, `nats_per_char` and `bits`: rows of `title`, `bits`,
    `nats_per_char`, `number` (its place among the validation titles, from 0).

    A title's loss is the sum over its tokens and its closing `<eos>`, which counts as 5 characters: the protocol's
    count, and that of the analysis `extreme_titles`.

    Args:
        corpus: where the titles are, if not where the run found them.

    Raises:
        Refusal: the run has no losses yet, or its titles are not at hand; says what is missing.
        UserError: a file is damaged.
    """
    if run.state != "complete":
        raise Refusal(409, f"run {run.name} is {run.state}: titles are scored at the end of training")
    tensors = run.load_tensors(layout.TITLE_LOSSES)
    titles = _validation_titles(run, corpus)
    nats = by_title(np.asarray(tensors["nats"], dtype=np.float64), titles, EOS)
    bits, per_char = nats / math.log(2), nats / title_chars(titles)

    def rows(numbers: np.ndarray) -> list[dict[str, Any]]:
        return [
            {"number": int(i), "title": titles[i], "bits": float(bits[i]), "nats_per_char": float(per_char[i])}
            for i in numbers
        ]

    found: dict[str, Any] = {"n_titles": len(titles), "mean_bits": float(bits.mean())}
    for name, values in (("nats_per_char", per_char), ("bits", bits)):
        worst, best = worst_and_best(values, n)
        found[name] = {"worst": rows(worst), "best": rows(best)}
    return found


def _validation_titles(run: Run, corpus: CorpusConfig | None) -> tuple[str, ...]:
    """Read the titles; download none: a visitor's click is no consent to 426 MB, and would wait for them in silence."""
    missing = None if corpus is not None else Experiment.from_dict(run.config).corpus.to_fetch()
    if missing is not None:
        fetch = f"restart the page with --corpus {missing} to fetch them"
        raise Refusal(409, f"the titles of run {run.name} are not on this machine: {fetch}")
    try:
        return validation_titles(run, corpus)
    except (UserError, OSError) as error:
        fix = "restart the page with --corpus and the titles that it was trained on"
        raise Refusal(409, f"the titles of run {run.name} are not at hand ({error}); {fix}") from None


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
