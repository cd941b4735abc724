"""ResultFacts: a result's result.json with types. Parsed and written here; only `store.run.convert` looks into the JSON
too, to change a config's form.

Field names are the file's keys. A part keeps the object that it was read from (`written`), so that it is written back
byte for byte: in the file's order, with its nulls, and with keys that this version does not know.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sevenepochs.config.old_configs import present_form

SCHEMA_VERSION = 1
_NOT_IN_A_LINE = re.compile(r"[`\x00-\x1f\x7f]")  # no markup, one line
_NOT_IN_A_NAME = re.compile(r"[/\\`\x00-\x1f\x7f]")  # and no path

T = TypeVar("T")


def _written() -> Any:
    return field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class SplitFacts:
    """Training and validation titles: their hashes, their numbers, and their characters as the protocol counts them."""

    train_titles_sha256: str
    validation_titles_sha256: str
    n_train: int
    n_validation: int
    train_chars: int
    validation_chars: int
    written: Mapping[str, Any] = _written()


@dataclass(frozen=True)
class CorpusFacts:
    """Where the titles came from.

    Attributes:
        recognised: the dataset version that the titles are of, where it is known.
        of: what the whole corpus is called, for development titles.
    """

    name: str
    kind: str
    split: SplitFacts
    n_rows: int | None = None
    file_sha256: str | None = None
    recognised: str | None = None
    of: str | None = None
    written: Mapping[str, Any] = _written()


@dataclass(frozen=True)
class Figures:
    """Losses in nats per character (`exact_val_bpc` in bits); None where a figure does not exist. See `metrics`."""

    exact_val_loss: float
    exact_val_bpc: float | None = None
    official_val_loss: float | None = None
    official_val_loss_own_geometry: float | None = None
    val_scored_fraction: float | None = None
    exact_val_loss_stock_rows: float | None = None
    floor_val_loss: float | None = None
    excess_val_loss: float | None = None
    written: Mapping[str, Any] = _written()

    def by_name(self) -> dict[str, float | None]:
        """The figures that the file has, by the name of the metric."""
        return to_json(self)


@dataclass(frozen=True)
class MachineFacts:
    """The machine of a run, and its precision there."""

    device: str | None = None
    device_name: str | None = None
    precision: str | None = None
    threads: int | None = None
    cpu_model: str | None = None
    written: Mapping[str, Any] = _written()

    @property
    def words(self) -> str:
        """For people: "AMD EPYC, 2 threads, bf16"; with a GPU "NVIDIA H100 80GB HBM3, bf16"."""
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        return f"{self.device_name or f'{self.cpu_model}, {threads}'}, {self.precision}"


@dataclass(frozen=True)
class ResultFacts:
    """All that result.json says of one finished run.

    Attributes:
        run: the name of its folder.
        command: one line that repeats the run.
        figures, figures_run_precision: in fp32, by which results rank, and in the run's own precision.
        training_flop: floating-point operations of training, as `Experiment.step_flop` counts them; None for an
            ensemble, and for runs from before December 2026.
        rows: how the recipe's scoring rows are called.
        certificate_broken: the rules that the run broke.
        dirty: whether its source differed from `commit`; None where that is unknown.
        config: the whole experiment, in the form of `Experiment.to_dict`.
    """

    recipe: str
    seed: int
    run: str
    created_utc: str
    command: str
    corpus: CorpusFacts
    figures: Figures
    elapsed_seconds: float
    n_steps: int
    parameters: int
    config: dict[str, Any]
    machine: MachineFacts = MachineFacts()
    schema_version: int = SCHEMA_VERSION
    figures_run_precision: Figures | None = None
    tokens_per_step: int | None = None
    training_flop: float | None = None
    track: str | None = None
    rows: str | None = None
    certificate_clean: bool | None = None
    certificate_broken: tuple[str, ...] | None = None
    commit: str | None = None
    dirty: bool | None = None
    packages: dict[str, Any] | None = None
    written: Mapping[str, Any] = _written()

    @classmethod
    def from_json(cls, data: Any) -> ResultFacts:
        """Parse what `json.loads` gives of result.json; a config of an earlier version takes its present form. Raises
        ValueError: damaged, of another schema version, or a name in it could not stand as a folder's or on a page."""
        if isinstance(data, dict) and (version := data.get("schema_version")) != SCHEMA_VERSION:
            raise ValueError(f"it has schema version {version}, this package reads {SCHEMA_VERSION}")
        facts = _read(cls, data, "")
        for name in (facts.recipe, facts.corpus.name):
            if _NOT_IN_A_NAME.search(name) or not name:
                raise ValueError(f"{name!r} is no name of a recipe or corpus")
        if facts.recipe.startswith("."):
            raise ValueError(f"{facts.recipe!r} is no name of a recipe")
        if _NOT_IN_A_LINE.search(facts.command):
            raise ValueError("its command is more than a line of plain text")
        return dataclasses.replace(facts, config=present_form(facts.config))

    def to_json(self) -> dict[str, Any]:
        """Inverse of `from_json`."""
        return to_json(self)


def commit_words(commit: str | None, dirty: bool | None) -> str:
    """Return a commit for people: eight digits, with a "+" where the source differed from it; or "unknown"."""
    return f"{(commit or 'unknown')[:8]}{'+' if dirty else ''}"


def to_json(part: Any) -> dict[str, Any]:
    """Return a part as it was written, with the present values of its fields."""
    now = {one.name: _plain(getattr(part, one.name)) for one in dataclasses.fields(part) if one.name != "written"}
    kept = {key: now.get(key, value) for key, value in part.written.items()}
    return kept | {key: value for key, value in now.items() if key not in kept and value is not None}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_json(value)
    return list(value) if isinstance(value, tuple) else value


def _read(kind: type[T], data: Any, where: str) -> T:
    """A dataclass from a JSON object. `where` is the object's key and a full stop, for messages."""
    if not isinstance(data, dict):
        raise ValueError(f"{where.rstrip('.') or 'what it holds'} is no object")
    hints, values = typing.get_type_hints(kind), {"written": data}
    for one in dataclasses.fields(kind):  # type: ignore[arg-type]
        if one.name == "written":
            continue
        if one.name in data:
            values[one.name] = _value(hints[one.name], data[one.name], where + one.name)
        elif one.default is dataclasses.MISSING:
            raise ValueError(f"it has no {where}{one.name}")
    return kind(**values)


def _value(hint: Any, data: Any, where: str) -> Any:
    for option in typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,):
        if dataclasses.is_dataclass(option) and isinstance(data, dict):
            return _read(option, data, f"{where}.")  # type: ignore[arg-type]
        origin = typing.get_origin(option)
        if origin is tuple and isinstance(data, list) and all(isinstance(one, str) for one in data):
            return tuple(data)
        if origin is dict and isinstance(data, dict):
            return data
        if type(data) is option or (option is float and type(data) is int):  # True is no number
            return data
    raise ValueError(f"{where} cannot be {data!r:.80}")
