"""RunWriter: how training writes its run folder. One process at a time; whole files or none."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sevenepochs.errors import UserError, command
from sevenepochs.store.run import checkpoint, layout, storage
from sevenepochs.store.run.lock import Lock
from sevenepochs.store.run.reader import Run, list_runs, start_of

# corpus.json and the run's name have them
_TOLD_BY_THE_RUN = {
    "training.seed",
    "corpus",
    *(f"corpus.{key}" for key in ("path", "column", "encoding", "revision", "n_titles")),
}


class RunWriter:
    """The writing side of a run folder: `create` or `reopen` one, use it as a context manager or `close()` it.

    Attributes:
        path: the run folder.
        name: its last part, `<UTC time>_<recipe>_s<seed>`.
    """

    def __init__(self, path: Path, lock: Lock) -> None:
        """Not for callers: `create` and `reopen` take the lock."""
        self.path = path
        self.name = path.name
        self._lock: Lock | None = lock

    @classmethod
    def create(
        cls, root: Path, recipe: str, seed: int, settings: Sequence[str] | None = None, now: datetime | None = None
    ) -> Self:
        """Make a new folder below `root`; where the name is taken it gets the suffix -2, -3, ...

        Args:
            recipe: the recipe's name, or `path/file.py:function`, of which the folders are left out.
            settings: KEY=VALUE that were added to the recipe, None where that is not known. Seed, corpus and values
                with a folder in them are left out: the run has the first two elsewhere.
            now: the run's time, with its zone; the present by default.

        Raises:
            UserError: `root` cannot be written to, is not a folder, or its disk is full.
        """
        created = (now or datetime.now(UTC)).astimezone(UTC)
        recipe = recipe_label(recipe)
        name = f"{created:%Y%m%dT%H%M%SZ}_{re.sub(r'[^A-Za-z0-9._-]+', '-', recipe)}_s{seed}"
        advice = "choose another folder for runs, or make room or permissions there"
        if root.exists() and not root.is_dir():
            raise UserError(f"{root} is not a folder, so no run can be written below it; {advice}")
        with storage.disk_errors(f"a run folder below {root}", advice):
            root.mkdir(parents=True, exist_ok=True)
            before = max(map(start_of, list_runs(root)), default=None) if now is None else None
            path, writer = _new_folder(root, name), None
            try:
                writer = cls(path, Lock(path / layout.LOCK))
                info = {
                    "schema_version": layout.SCHEMA_VERSION,
                    "recipe": recipe,
                    "seed": seed,
                    "created_utc": created.isoformat(timespec="seconds"),
                }
                if before is not None and before > created:  # the clock went back
                    info[layout.NOT_BEFORE] = before.isoformat(timespec="seconds")
                if settings is not None:
                    info["settings"] = [setting for setting in settings if _is_kept(setting)]
                storage.write_text(path / layout.RUN, storage.json_text(info))
            except BaseException:
                if writer is not None:
                    writer.close()
                shutil.rmtree(path, ignore_errors=True)
                raise
        return writer

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Go on writing a run that was interrupted or that failed; leftovers of the interruption are cleared away.

        Raises:
            UserError: not a run folder, complete, being written by another process, or not writable.
        """
        run = Run(path)
        run.info  # noqa: B018 (raises when another version wrote the run)
        _check_incomplete(run)
        with storage.disk_errors(f"run {run.name}", "make room or permissions there"):
            try:
                lock = Lock(path / layout.LOCK)
            except BlockingIOError as error:
                raise UserError(f"run {run.name} is being written ({error}); wait for it or stop it first") from None
            writer = cls(path, lock)
            try:
                _check_incomplete(run)  # again: another process may have finished it before the lock was free
                writer._clear_leftovers()
            except BaseException:
                writer.close()
                raise
        return writer

    def write_json(self, name: str, data: Any) -> None:
        """Write `data` (JSON values, numpy numbers; non-finite ones become null) to `name`, also `analysis/x.json`."""
        self.write_text(name, storage.json_text(data))

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        with self._writing(name) as path:
            path.parent.mkdir(exist_ok=True)
            storage.write_text(path, text)

    def append_metric(self, row: Mapping[str, Any]) -> None:
        """Add one line to metrics.jsonl. `row` needs its `step`; other keys are names from metrics.py."""
        assert isinstance(row.get("step"), int), "a metric line without its step cannot be cut at a checkpoint"
        with self._writing(layout.METRICS) as path:
            storage.append_line(path, storage.json_line(row))

    def append_mainrun(self, event: str, **fields: Any) -> None:
        """Add one line to mainrun.log in the challenge's format, e.g. `training_step` with `step`, `max_steps`, `loss`,
        `elapsed_time`, `prnt`; the time is added. Loss there is what the challenge logs: the objective in nats per
        token in training, nats per character (the own-geometry figure) in `validation_step`."""
        line = storage.json_line({"event": event, "timestamp": time.time(), **fields}, strict=False)
        with self._writing(layout.MAINRUN_LOG) as path:
            storage.append_line(path, line)

    def save_checkpoint(self, tensors: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        """Replace checkpoint/, so that there is one whole checkpoint at every moment, also for a killed process.

        Args:
            tensors: arrays (no bf16) or bytes.
            state: JSON values, kept exactly; has the `step` (int) after which the checkpoint was taken.
        """
        assert isinstance(state.get("step"), int), "a checkpoint without its step cannot be resumed"
        with self._writing(layout.CHECKPOINT):
            checkpoint.save(self.path, tensors, state)

    def save_model(self, tensors: Mapping[str, Any]) -> None:
        """Write model.safetensors."""
        self.save_tensors(layout.MODEL, tensors)

    def save_snapshot(self, step: int, tensors: Mapping[str, Any]) -> None:
        """Write the weights after `step` into snapshots/; a resumed run writes those of its repeated steps again."""
        self.save_tensors(layout.snapshot(step), tensors)

    def save_tensors(self, name: str, tensors: Mapping[str, Any]) -> None:
        """Write a safetensors file with the tensors' hash, which readers check."""
        with self._writing(name) as path:
            path.parent.mkdir(exist_ok=True)
            storage.write_tensors(path, tensors)

    def truncate_metrics(self, step: int) -> None:
        """Drop what was logged after `step`, the checkpoint's: the resumed run logs those steps again. Lines without a
        step (the challenge's header events) stay. Raises as `checkpoint.check_logs`."""
        if checkpoint.exists(self.path):
            checkpoint.check_logs(self.path)
        for name in (layout.METRICS, layout.MAINRUN_LOG):
            with self._writing(name) as path:
                storage.keep_lines(path, f"{name} of run {self.name}", lambda row: row.get("step", 0) <= step)

    def forget_failure(self) -> None:
        """Remove failure.json, because the run goes on."""
        with self._writing(layout.FAILURE) as path:
            path.unlink(missing_ok=True)

    def fail(self, message: str, **facts: Any) -> None:
        """Note that training stopped by itself (a non-finite loss, no memory), and close: the run is then "failed"."""
        self.write_json(layout.FAILURE, {"message": message, **facts})
        self.close()

    def write_sums(self, summary: str | None = None) -> None:
        """Note the hashes of the files that stay as they are from the start; with the coming `summary`'s text, those of
        a complete run. `Run.check_sums` reads them."""
        contents = {layout.SUMMARY: summary.encode()} if summary is not None else {}
        for name in (*layout.SUMMED_FROM_THE_START, *(layout.SUMMED_AT_THE_END if summary is not None else ())):
            if name not in contents and (content := storage.read_bytes(self.path / name, name)) is not None:
                contents[name] = content
        self.write_json(layout.SUMS, {name: storage.sha256(content) for name, content in contents.items()})

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json, which makes the run complete, and close. Everything else must be written before.

        The checkpoint goes: a complete run is never resumed, and its weights are in model.safetensors.
        """
        text = storage.json_text(summary)
        self.write_sums(text)
        self.write_text(layout.SUMMARY, text)
        for folder in (layout.CHECKPOINT, layout.CHECKPOINT_OLD, layout.CHECKPOINT_NEW):
            shutil.rmtree(self.path / folder, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let go of the run; without `finish` it counts as interrupted. May be called twice."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _clear_leftovers(self) -> None:
        for leftover in self.path.rglob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        shutil.rmtree(self.path / layout.CHECKPOINT_NEW, ignore_errors=True)
        checkpoint.repair(self.path)
        for name in (layout.METRICS, layout.MAINRUN_LOG):
            # a half-written last line would swallow the next one that is appended
            path = self.path / name
            if path.exists() and not path.read_bytes().endswith(b"\n"):
                storage.keep_lines(path, f"{name} of run {self.name}", lambda row: True)

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[Path]:
        """The path of a file to be written. An error of the disk becomes the user's, with how to go on."""
        assert self._lock is not None, f"{name} written to a run that is closed"
        assert not Path(name).is_absolute() and ".." not in Path(name).parts, f"{name} is not inside the run folder"
        way_on = "there is no checkpoint yet: make room, then train again"
        if checkpoint.exists(self.path):
            resume = command("resume", self.path)
            way_on = f"nothing lost: make room, then resume from the last checkpoint: {resume}"
        with storage.disk_errors(f"{name} of run {self.name}", way_on):
            yield self.path / name


class SilentWriter:
    """The other processes' stand-in for a RunWriter: it has every writing method, and writes nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __getattr__(self, name: str) -> Callable[..., None]:
        assert hasattr(RunWriter, name), f"RunWriter has no method {name}"
        return lambda *args, **fields: None


def recipe_label(recipe: str) -> str:
    """Return what runs of a recipe are called: its name, or the last part of `path/file.py:function`, without the
    machine's folders."""
    return re.split(r"[/\\]", recipe)[-1]


def write_analysis(run: Run, name: str, data: Any) -> Path:
    """Write analysis/<name>.json of any run, also a complete one; return its path. Raises UserError: the disk is full
    or the run folder is read-only."""
    path = run.path / layout.ANALYSIS / f"{name}.json"
    with storage.disk_errors(f"{path.name} of run {run.name}", "make room or permissions there, and analyse again"):
        path.parent.mkdir(exist_ok=True)
        storage.write_text(path, storage.json_text(data))
    return path


def _check_incomplete(run: Run) -> None:
    if run.summary is not None:
        raise UserError(f"run {run.name} is complete; there is nothing to resume")


def _is_kept(setting: str) -> bool:
    key, _, value = setting.partition("=")
    return key.strip() not in _TOLD_BY_THE_RUN and not re.search(r"[/\\]", value)


def _new_folder(root: Path, name: str) -> Path:
    path, number = root / name, 1
    while True:
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1
            path = root / f"{name}-{number}"
