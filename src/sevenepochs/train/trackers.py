"""metrics.jsonl mirrored to a dashboard (trackio, TensorBoard, Weights & Biases) for people who live in one.

The run folder stays the truth. The mirror reads the rows that the run has written and hands them on; a tracker that
fails is switched off with one message, and the run goes on. Each library is wrapped in a few lines below.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from sevenepochs.errors import UserError
from sevenepochs.run_folder import layout
from sevenepochs.train.hooks import Plan, Progress, Watcher

TrackerName = Literal["trackio", "tensorboard", "wandb"]
_PROJECT = "sevenepochs"
_NOT_METRICS = ("step", "event")


class Tracker(Protocol):
    """What a dashboard must do. Any of it may raise."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Numbers by metric name, after a step."""

    def finish(self) -> None:
        """Nothing more will come in this session."""


class Mirror(Watcher):
    """Passes everything on to another watcher, and the run's new metric rows to a tracker."""

    def __init__(self, inner: Watcher, name: TrackerName) -> None:
        """Raises UserError when the library is not installed."""
        package = _PACKAGES[name]
        if importlib.util.find_spec(package) is None:
            raise UserError(f"--track {name} needs the package {package}: pip install {package}")
        self._inner, self._name = inner, name
        self._tracker: Tracker | None = None
        self._metrics: Path | None = None
        self._read_bytes = 0

    def message(self, text: str) -> None:
        self._inner.message(text)

    def started(self, plan: Plan) -> None:
        self._inner.started(plan)
        self._metrics = plan.run_path / layout.METRICS
        if plan.first_step > 1 and self._metrics.exists():  # an earlier session has sent these
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
        self._tracker = _TRACKERS[self._name](plan.run_path, flat(config), plan.first_step > 1)

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
            self._tracker.log(numbers, row["step"])

    def _finish(self) -> None:
        if self._tracker is not None:
            self._tracker.finish()

    def _guarded(self, action: Callable[[], None]) -> None:
        """A dashboard is never worth a run: its first failure is its last."""
        try:
            action()
        except Exception as error:
            self._tracker = None
            reason = str(error).strip().splitlines()
            what = f"{type(error).__name__}: {reason[0]}" if reason else type(error).__name__
            self._inner.message(f"--track {self._name} failed ({what}); the run goes on without it")


class _Trackio:
    """A local SQLite store; `trackio show --project sevenepochs` opens its dashboard."""

    def __init__(self, run_path: Path, config: Mapping[str, Any], is_resumed: bool) -> None:
        import trackio

        self._module = trackio
        resume = "allow" if is_resumed else "never"
        trackio.init(project=_PROJECT, name=run_path.name, config=dict(config), resume=resume, embed=False)

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._module.log(dict(values), step=step)

    def finish(self) -> None:
        self._module.finish()


class _TensorBoard:
    """Event files in the run folder; `tensorboard --logdir runs` shows all runs."""

    def __init__(self, run_path: Path, config: Mapping[str, Any], is_resumed: bool) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(log_dir=str(run_path / _TENSORBOARD_FOLDER))
        if not is_resumed:
            self._writer.add_text("config", "\n".join(f"    {key} = {value}" for key, value in config.items()))

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def finish(self) -> None:
        self._writer.close()


class _Wandb:
    """Weights & Biases, as its own environment variables say (WANDB_MODE=offline keeps everything on this machine)."""

    def __init__(self, run_path: Path, config: Mapping[str, Any], is_resumed: bool) -> None:
        import wandb

        # an id of our own lets a resumed session continue the same page; no terminal question may hold up a run
        self._run = wandb.init(
            project=_PROJECT,
            name=run_path.name,
            id=run_path.name,
            resume="allow",
            config=dict(config),
            dir=str(run_path),
            settings=wandb.Settings(login_timeout=_WANDB_TIMEOUT_SECONDS, init_timeout=_WANDB_TIMEOUT_SECONDS),
        )

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def finish(self) -> None:
        self._run.finish()


_TENSORBOARD_FOLDER = "tensorboard"
_WANDB_TIMEOUT_SECONDS = 30
_PACKAGES: dict[TrackerName, str] = {"trackio": "trackio", "tensorboard": "tensorboard", "wandb": "wandb"}
_TRACKERS: dict[TrackerName, Callable[[Path, Mapping[str, Any], bool], Tracker]] = {
    "trackio": _Trackio,
    "tensorboard": _TensorBoard,
    "wandb": _Wandb,
}


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by dotted path, as `--set` takes them."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found
