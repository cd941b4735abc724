"""Run: the reading side of a run folder; find_run and list_runs: the way to one. Nothing here writes."""

from __future__ import annotations

import difflib
import functools
import os
import re
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sevenepochs.config.old_configs import present_form
from sevenepochs.errors import UserError, command, nearest
from sevenepochs.store.run import checkpoint, layout, lock, storage
from sevenepochs.store.run.storage import Tensors

State = Literal["complete", "running", "interrupted", "failed"]

_OF_THE_MACHINE = re.compile(r"training\.(?!epochs|grad_clip)")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Run:
    """A run folder, read only. Files are read when asked for, so a run in progress shows its present state.

    Every reader raises a UserError that names the file and what to do when the file is missing or corrupt, or when
    another version's schema wrote the run.

    Attributes:
        path: the run folder.
        name: its last part.
    """

    def __init__(self, path: Path) -> None:
        """Open the folder. Raises UserError: `path` is not a run folder."""
        if not (path / layout.RUN).is_file():
            what = "is not a run folder" if path.is_dir() else "does not exist"
            raise UserError(f"{path} {what} (no {layout.RUN}); `sevenepochs runs` lists the runs")
        self.path = path
        self.name = path.resolve().name

    def __repr__(self) -> str:
        return f"Run({self.name!r})"

    @functools.cached_property
    def info(self) -> dict[str, Any]:
        """Known from the start: `schema_version`, `recipe`, `seed`, `created_utc`, and mostly its `settings`."""
        advice = "the folder cannot be read as a run"
        info = storage.read_json(self.path / layout.RUN, self._called(layout.RUN), advice)
        found = info.get("schema_version") if isinstance(info, dict) else None
        if found != layout.SCHEMA_VERSION:
            raise UserError(
                f"run {self.name} has schema version {found!r}, this program reads {layout.SCHEMA_VERSION}; "
                "use the version of sevenepochs that wrote it"
            )
        if not (isinstance(info.get("recipe"), str) and isinstance(info.get("seed"), int)):
            raise UserError(f"{self._called(layout.RUN)} is corrupt (no recipe or seed); {advice}")
        return dict(info)

    @property
    def recipe(self) -> str:
        """Name of the recipe that the run was started from."""
        return str(self.info["recipe"])

    @property
    def seed(self) -> int:
        """Seed of initialisation, dropout and training order."""
        return int(self.info["seed"])

    @property
    def changes(self) -> list[str]:
        """KEY=VALUE that the run was given beside its recipe, as far as known; not what the machine alone concerns."""
        return [setting for setting in self.info.get("settings", []) if not _OF_THE_MACHINE.match(setting)]

    @property
    def config(self) -> dict[str, Any]:
        """The resolved experiment, in the form of `Experiment.to_dict` also where an earlier version wrote it."""
        return present_form(self._object(layout.CONFIG))

    @property
    def is_ensemble(self) -> bool:
        """Whether it is a mixture of other runs, which has no weights of its own."""
        return self.state == "complete" and self.config.get("kind") == layout.ENSEMBLE

    @property
    def is_by_words(self) -> bool:
        """Whether the members of an ensemble cut titles into different tokens."""
        return self.is_ensemble and bool(self.config["by_words"])

    def members(self) -> dict[Run, float]:
        """Return the runs that an ensemble mixes, with their weights, from the folder that it is in. Raises UserError:
        one is not there, or a member is no run but counts titles."""
        config = self.config
        if config["counts"] is not None:
            raise UserError(f"{self.name} has a member that only counts and cannot be asked; ask the others")
        found = {self.path.parent / member["run"]: member["weight"] for member in config["members"].values()}
        gone = [path for path in found if not (path / layout.RUN).is_file()]
        if gone:
            raise UserError(f"{self.name} needs its member {gone[0].name}, which is not in {self.path.parent}")
        return {Run(path): weight for path, weight in found.items() if weight > 0}

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, machine and commit."""
        return self._object(layout.ENVIRONMENT)

    @property
    def corpus(self) -> dict[str, Any]:
        """Fingerprints of the titles and the split."""
        return self._object(layout.CORPUS)

    @property
    def certificate(self) -> dict[str, Any] | None:
        """The rules that the run kept and broke; None before its end."""
        return self._object_or_none(layout.CERTIFICATE)

    @property
    def summary(self) -> dict[str, Any] | None:
        """The final figures; None until the run is complete."""
        if (self.path / layout.SUMMARY).exists():
            self.check_sums((layout.SUMMARY,))
        return self._object_or_none(layout.SUMMARY)

    @property
    def failure(self) -> dict[str, Any] | None:
        """Why training stopped by itself (`message` and facts); None when it did not."""
        return self._object_or_none(layout.FAILURE)

    @property
    def state(self) -> State:
        """Complete; running: a live process on this machine writes it; failed: stopped by itself; else interrupted."""
        if (self.path / layout.SUMMARY).exists():
            return "complete"
        if lock.is_held(self.path / layout.LOCK):
            return "running"
        return "failed" if (self.path / layout.FAILURE).exists() else "interrupted"

    @property
    def age_seconds(self) -> float:
        """Seconds since the run was created."""
        try:
            return time.time() - datetime.fromisoformat(self.info["created_utc"]).timestamp()
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{self._called(layout.RUN)} has no valid created_utc; put it back from a copy") from None

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Give every line of metrics.jsonl in order; a last line cut short by a killed process is left out."""
        return storage.json_lines(self._file(layout.METRICS), self._called(layout.METRICS))

    def evaluations(self) -> list[dict[str, Any]]:
        """Return the metric lines that carry an `exact_val_loss`, by step."""
        return [row for row in self.metrics() if "exact_val_loss" in row]

    def training_curve(self) -> list[dict[str, Any]]:
        """Return the metric lines that carry a `train_loss_nats_per_token`, by step."""
        return [row for row in self.metrics() if "train_loss_nats_per_token" in row]

    def analysis_names(self) -> list[str]:
        """Return the names in analysis/, as `analysis` takes them."""
        return sorted(path.stem for path in (self.path / layout.ANALYSIS).glob("*.json"))

    def analysis(self, name: str) -> Any:
        """Return the content of analysis/<name>.json."""
        return self.read_json(f"{layout.ANALYSIS}/{name}.json")

    def read_json(self, name: str) -> Any:
        """Return the content of a JSON file of the folder, by a name from `layout`."""
        return storage.read_json(self._file(name), self._called(name), self._advice(name))

    def read_text(self, name: str) -> str:
        """Return the content of a text file of the folder, e.g. `layout.TOKENIZER`."""
        return storage.read_text(self._file(name), self._called(name), self._advice(name))

    def load_model_tensors(self) -> Tensors:
        """Return the final weights by parameter name, fp32 arrays; their hash is checked."""
        return self.load_tensors(layout.MODEL)

    def snapshot_steps(self) -> list[int]:
        """Return the steps after which the weights were kept, rising; none unless the run was asked to keep them."""
        names = [path.stem.partition("_")[2] for path in (self.path / layout.SNAPSHOTS).glob("step_*.safetensors")]
        return sorted(int(name) for name in names if name.isdigit())

    def load_snapshot(self, step: int) -> Tensors:
        """Return the weights after a step, as `save_snapshot` was given them; their hash is checked."""
        return self.load_tensors(layout.snapshot(step))

    def load_tensors(self, name: str) -> Tensors:
        """Return the tensors of a safetensors file of the folder; their hash is checked."""
        return storage.read_tensors(self._file(name), self._called(name), self._advice(name))[0]

    def load_checkpoint(self) -> tuple[Tensors, dict[str, Any]]:
        """Return the newest whole checkpoint, (tensors, state); bytes are uint8 arrays. Hashes are checked."""
        return checkpoint.load(self._file(layout.CHECKPOINT).parent)

    def has_checkpoint(self) -> bool:
        """Return whether there is a checkpoint to resume from."""
        return checkpoint.exists(self.path)

    def check_sums(self, names: Sequence[str] = layout.SUMMED_FROM_THE_START + layout.SUMMED_AT_THE_END) -> None:
        """Raise a UserError where one of these files is not what was written. Runs of before December 2026 pass: they
        have no sums."""
        for name, sha256 in (self._object_or_none(layout.SUMS) or {}).items():
            if name not in names:
                continue
            if (content := storage.read_bytes(self.path / name, self._called(name))) is None:
                raise UserError(f"{self._called(name)} is missing; {self._advice(name)}")
            if storage.sha256(content) != sha256:
                raise UserError(f"{self._called(name)} is corrupt (not what {layout.SUMS} says); {self._advice(name)}")

    def _object(self, name: str) -> dict[str, Any]:
        data = self.read_json(name)
        if not isinstance(data, dict):
            raise UserError(f"{self._called(name)} is corrupt (not an object); {self._advice(name)}")
        return data

    def _object_or_none(self, name: str) -> dict[str, Any] | None:
        return self._object(name) if (self.path / name).exists() else None

    def _file(self, name: str) -> Path:
        """A file's path, where the run's schema version is ours."""
        self.info  # noqa: B018 (raises on another one)
        return self.path / name

    def _called(self, name: str) -> str:
        return f"{name} of run {self.name}"

    def _advice(self, name: str) -> str:
        again = "put it back from a copy, or train again"
        if name in layout.FROM_THE_START and self.has_checkpoint():
            return again
        state = self.state
        if state == "running":
            return "the run has not come to that yet: wait for it"
        return again if state == "complete" else f"the run stopped before it was done: {command('resume', self.path)}"


def list_runs(root: Path) -> list[Run]:
    """Return every run folder directly below `root`, oldest start first; none where there is no such folder.

    A run that was started while the clock stood before an earlier run's start comes after that run.
    """
    if not root.is_dir():
        return []
    return sorted((Run(path) for path in root.iterdir() if (path / layout.RUN).is_file()), key=_by_start)


def start_of(run: Run) -> datetime:
    """Return when a run was started, for its place among others: by its clock, or by that of an earlier run in its
    folder which was ahead. By its name where run.json is damaged."""
    try:
        told = [run.info[key] for key in ("created_utc", layout.NOT_BEFORE) if key in run.info]
        starts = [datetime.fromisoformat(text) for text in told]
        return max(start if start.tzinfo is not None else start.replace(tzinfo=UTC) for start in starts)
    except (UserError, TypeError, ValueError):
        stamp = re.match(r"\d{8}T\d{6}Z", run.name)
        return datetime.strptime(stamp[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if stamp else _LONG_AGO


def find_run(text: str, root: Path) -> Run:
    """Return the run that `text` means: a path, a name below `root`, "last", a recipe or `<recipe>_s<seed>` (its newest
    run, of those without changes where there is one), or the only one whose name starts or ends so. A run with a
    damaged run.json is found by its name only.

    Raises:
        UserError: none or several; the nearest names are listed.
    """
    # A bare word is a name before it is a folder that happens to stand in the current directory.
    for path in (root / text, Path(text)):
        if text and os.path.isfile(path / layout.RUN):  # unlike Path's, False for what is too long for a name
            return Run(path)
    runs = list_runs(root)
    if not runs:
        raise UserError(f"there is no run {text!r}: {root} holds no runs yet; start one with: sevenepochs train")
    if text == "last":
        return runs[-1]
    of_recipe = [run for run in runs if text in _recipe_names(run)]
    if of_recipe:
        return ([run for run in of_recipe if not run.changes] or of_recipe)[-1]
    found = [run for run in runs if text and (run.name.startswith(text) or run.name.endswith(text))]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(run.name for run in found[-5:])
        raise UserError(f"{text!r} could be {len(found)} runs; name one: {names}{', ...' if len(found) > 5 else ''}")
    if len(Path(text).parts) > 1 and os.path.isdir(text):
        return Run(Path(text))  # a folder was meant, and Run says why it is none of ours
    close = difflib.get_close_matches(text, [run.name for run in runs], n=5, cutoff=0.0)
    raise UserError(f"no run {text!r} in {root}{nearest(text, close)}")


def _recipe_names(run: Run) -> tuple[str, ...]:
    try:
        recipe = run.recipe.replace(":", "-")  # as in a folder's name
        return run.recipe, f"{run.recipe}_s{run.seed}", recipe, f"{recipe}_s{run.seed}"
    except UserError:
        return ()


def _by_start(run: Run) -> tuple[Any, ...]:
    """Sort by start. In one second, runs on a clock that went back come later, then the name counts. Numbers in names
    are compared as numbers, so that -10 comes after -2."""
    try:
        went_back = str(run.info.get("created_utc")) if layout.NOT_BEFORE in run.info else ""
    except UserError:
        went_back = ""
    parts = re.split(r"(\d+)", run.name)
    return start_of(run), went_back, tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)
