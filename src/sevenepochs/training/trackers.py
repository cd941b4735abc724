"""A mirror of metrics.jsonl on a dashboard (trackio, or Weights & Biases), whose modules share one interface.

The mirror reads the rows that the run has written and sends them on. A tracker that fails is switched off with one
message, and the run goes on.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from sevenepochs.errors import UserError
from sevenepochs.store.run import layout
from sevenepochs.training.hooks import Plan, Progress, Watcher

TrackerName = Literal["trackio", "wandb"]
_PROJECT = "sevenepochs"
_TIMEOUT_SECONDS = 30
_NOT_METRICS = ("step", "event")


class Mirror(Watcher):
    """Pass everything on to another watcher, and the run's new metric rows to a tracker."""

    def __init__(self, inner: Watcher, name: TrackerName) -> None:
        """Raises UserError when the library is not installed."""
        if importlib.util.find_spec(name) is None:
            raise UserError(f"--track {name} needs the package {name}: pip install {name}")
        self._inner, self._name = inner, name
        self._tracker: ModuleType | None = None
        self._metrics: Path | None = None
        self._read_bytes = 0

    def message(self, text: str) -> None:
        self._inner.message(text)

    def started(self, plan: Plan) -> None:
        self._inner.started(plan)
        self._metrics = plan.run_path / layout.METRICS
        if plan.first_step > 1 and self._metrics.exists():  # an earlier session sent these
            self._read_bytes = self._metrics.stat().st_size
        self._guarded(lambda: self._start(plan))

    def stepped(self, progress: Progress) -> None:
        self._inner.stepped(progress)
        self._guarded(self._send)

    def evaluated(self, step: int, figures: dict[str, float | None]) -> None:
        self._inner.evaluated(step, figures)
        self._guarded(self._send)

    def finished(self) -> None:
        self._inner.finished()
        self._guarded(self._finish)

    def _start(self, plan: Plan) -> None:
        config = json.loads((plan.run_path / layout.CONFIG).read_text(encoding="utf-8"))
        module = importlib.import_module(self._name)
        run = plan.run_path
        # a resumed session continues the same page, by its name for trackio and by an id for wandb
        named = {"project": _PROJECT, "name": run.name, "config": flat(config), "resume": "allow"}
        if self._name == "trackio":
            module.init(**named, embed=False)
        else:  # a question in the terminal must not hold up a run
            timeouts = module.Settings(login_timeout=_TIMEOUT_SECONDS, init_timeout=_TIMEOUT_SECONDS)
            module.init(**named, id=run.name, dir=str(run), settings=timeouts)
        self._tracker = module

    def _send(self) -> None:
        if self._tracker is None or self._metrics is None:
            return
        with self._metrics.open("rb") as stream:
            stream.seek(self._read_bytes)
            new = stream.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        for line in whole.splitlines():
            row = json.loads(line)
            numbers = {k: v for k, v in row.items() if k not in _NOT_METRICS and isinstance(v, int | float)}
            self._tracker.log(numbers, step=row["step"])

    def _finish(self) -> None:
        if self._tracker is not None:
            self._tracker.finish()

    def _guarded(self, action: Callable[[], None]) -> None:
        """Act; after any failure, go on without the tracker."""
        try:
            action()
        except Exception as error:
            self._tracker = None
            reason = str(error).strip().splitlines()
            what = f"{type(error).__name__}: {reason[0]}" if reason else type(error).__name__
            self._inner.message(f"--track {self._name} failed ({what}); the run goes on without it")


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings by dotted path, as `--set` takes them."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found
