"""Synthetic logs in the challenge's format, with the figures that a run of the stock kind would print."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class LogMaker:
    """Events of one run: an untrained model costs ln(vocabulary) a token, then the loss falls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def events(
        self,
        *,
        tokens_per_epoch: int = 1_102_455,
        val_chars: int = 533_000,
        val_tokens: int = 121_380,
        batch_size: int = 64,
        block_size: int = 128,
        vocab_size: int = 16_000,
        epochs: int = 7,
        final_loss: float = 1.7533,
        fall: float = 0.002,
        timestamp: float = 1_755_000_000.0,
        n_steps: int = 60,
        **header: Any,
    ) -> list[dict[str, Any]]:
        """`fall`: share of the training loss that the first update takes away; the other figures as in the log."""
        window = batch_size * block_size
        scored = val_tokens // (window + 1) * window
        batches = tokens_per_epoch // window
        start = math.log(vocab_size) * 1.01
        first_validation = start * (1 - fall) * scored / val_chars
        hyper = {
            "block_size": block_size, "batch_size": batch_size, "vocab_size": vocab_size, "lr": 0.006,
            "epochs": epochs, "seed": 1337, "num_titles": 100_000, "val_frac": 0.1, **header,
        }  # fmt: skip
        n_train = int(hyper["num_titles"] * 0.9)
        data = {"titles_count": n_train, "epochs": epochs, "batches_per_epoch": batches}
        events: list[dict[str, Any]] = [
            {"event": "hyperparameters_configured", "timestamp": timestamp, **hyper},
            {"event": "device_info", "device": "cpu"},
            {"event": "dataset_info", **data, "tokens_per_epoch": tokens_per_epoch, "vocab_size": vocab_size},
            {"event": "model_info", "parameters_count": 27_172_864},
        ]
        for step in range(1, n_steps + 1):
            loss = start if step == 1 else start * (1 - fall) * (1 - 0.3 * (step - 2) / n_steps)
            events.append({"event": "training_step", "step": step, "max_steps": n_steps, "loss": loss})
            if step == 1 or step % 20 == 0:
                value = first_validation if step == 1 else final_loss * (1 + 0.1 * (1 - step / n_steps))
                events.append({"event": "validation_step", "step": step, "max_steps": n_steps, "loss": value})
        return events

    def write(self, events: list[dict[str, Any]], name: str = "run.log") -> Path:
        file = self.folder / name
        file.write_text("".join(json.dumps(event) + "\n" for event in events))
        return file


@pytest.fixture
def logs(tmp_path: Path) -> LogMaker:
    return LogMaker(tmp_path)


@pytest.fixture
def audit_events(logs: LogMaker) -> Callable[..., Any]:
    """The audit of one synthetic run; keywords as `LogMaker.events`, or the events themselves."""
    from sevenepochs.audit.log import read_log
    from sevenepochs.audit.verdict import audit_log

    def audit(events: list[dict[str, Any]] | None = None, **figures: Any) -> Any:
        (found,) = audit_log(read_log(logs.write(events if events is not None else logs.events(**figures))))
        return found

    return audit
