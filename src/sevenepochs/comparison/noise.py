"""The noise floor: how far the exact loss moves when nothing but the seed changes. No torch.

Measured from runs of one recipe and configuration with several seeds, and kept in results/noise.json, where `compare`
finds it. The interval of the standard deviation is the chi-square one: with three seeds it reaches from half to six
times the measured value, so a floor of three seeds is an order of magnitude and no more.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sevenepochs.comparison.paired import Interval, sd_interval
from sevenepochs.errors import UserError, command
from sevenepochs.store.choosing import recipe_key
from sevenepochs.store.results import Result
from sevenepochs.store.run import storage
from sevenepochs.store.run.layout import PROXY_SUFFIX

SEEDS_TO_CLAIM = 3  # of two, the deviation is too often far too small
FILE = "noise.json"
_SCHEMA_VERSION = 3  # 2: configurations were digested with kinds of before 30 November 2026


@dataclass(frozen=True)
class NoiseFloor:
    """Seed deviation of one recipe on one set of validation titles, nats per character.

    Attributes:
        configuration: digest of what its runs share (`store.choosing.recipe_key`): the name alone would let a recipe
            with changed settings stand for the plain one.
    """

    recipe: str
    configuration: str
    corpus: str
    validation_titles_sha256: str
    seeds: tuple[int, ...]
    exact_val_losses: tuple[float, ...]
    device: str

    @property
    def n(self) -> int:
        return len(self.seeds)

    @property
    def mean(self) -> float:
        return math.fsum(self.exact_val_losses) / self.n

    @property
    def sd(self) -> float:
        return float(np.std(self.exact_val_losses, ddof=1))

    @property
    def sd_interval(self) -> Interval:
        found = sd_interval(self.exact_val_losses)
        assert found is not None, "a floor has at least two seeds"
        return found


def noise_floor(results: Sequence[Result]) -> NoiseFloor:
    """The floor from runs that differ in their seed only; the caller has grouped them (`compare.group`).

    Raises:
        UserError: fewer than two seeds.
    """
    by_seed = {result.seed: result for result in results}
    first = results[0]
    if len(by_seed) < 2:
        plain = first.recipe.removesuffix(PROXY_SUFFIX)
        raise UserError(
            f"{first.recipe} has been run with one seed only ({first.seed}); the seed deviation needs at least "
            f"two: {command('noise', plain, *(['--proxy'] if first.is_proxy else []), '--train', 3)}"
        )
    seeds = sorted(by_seed)
    devices = sorted({f"{result.machine.device} {result.machine.precision}" for result in results})
    return NoiseFloor(
        recipe=first.recipe,
        configuration=_digest(first),
        corpus=first.corpus.name,
        validation_titles_sha256=first.titles,
        seeds=tuple(seeds),
        exact_val_losses=tuple(by_seed[seed].exact for seed in seeds),
        device=", ".join(devices),
    )


def floor_for(results: Sequence[Result], floors: Iterable[NoiseFloor]) -> NoiseFloor | None:
    """The floor to judge these results by, which are on the same titles: the largest of those measured on their
    configurations where each has one, else the largest of any recipe's on these titles, floors of enough seeds before
    others; None where nobody measured one."""
    there = [floor for floor in floors if floor.validation_titles_sha256 == results[0].titles]
    compared = set(map(_digest, results))
    own = [floor for floor in there if floor.configuration in compared]
    # what is not known of one of them is not taken from the other: recipes differ ninefold
    found = own if {floor.configuration for floor in own} == compared else there
    enough = [floor for floor in found if floor.n >= SEEDS_TO_CLAIM]
    return max(enough or found, key=lambda floor: floor.sd, default=None)


def _digest(result: Result) -> str:
    return hashlib.sha256(recipe_key(result).encode()).hexdigest()[:12]


def read_floors(results_root: Path) -> list[NoiseFloor]:
    """All floors of results/noise.json; none when there is no such file.

    Raises:
        UserError: the file is damaged.
    """
    file = results_root / FILE
    if not file.exists():
        return []
    with storage.damage(file, "delete it and measure again: sevenepochs noise"):
        data = json.loads(file.read_text(encoding="utf-8"))
        if data["schema_version"] != _SCHEMA_VERSION:
            raise UserError(
                f"{file} has schema version {data['schema_version']}, this package reads {_SCHEMA_VERSION}; "
                "delete it and measure again: sevenepochs noise"
            )
        return [_floor(entry) for entry in data["floors"]]


def store(floor: NoiseFloor, results_root: Path) -> Path:
    """Put a floor into results/noise.json in place of an older one of that configuration and machine.

    Raises:
        UserError: the file is damaged or cannot be written.
    """
    key = (floor.configuration, floor.device)
    others = [old for old in read_floors(results_root) if (old.configuration, old.device) != key]
    rows = sorted([*others, floor], key=lambda f: (f.corpus, f.recipe, f.configuration, f.device))
    file = results_root / FILE
    data = {"schema_version": _SCHEMA_VERSION, "unit": "nats/char", "floors": [to_json(row) for row in rows]}
    text = json.dumps(data, indent=1) + "\n"
    with storage.disk_errors(str(file), "choose another folder with --results"):
        results_root.mkdir(parents=True, exist_ok=True)
        storage.write_atomic(file, lambda unfinished: unfinished.write_text(text, encoding="utf-8", newline="\n"))
    return file


def to_json(floor: NoiseFloor) -> dict[str, Any]:
    """The stored fields, and mean, deviation and its interval for whoever reads the file."""
    return {**asdict(floor), "n": floor.n, "mean": floor.mean, "sd": floor.sd, "sd_interval_95": floor.sd_interval}


def _floor(entry: dict[str, Any]) -> NoiseFloor:
    seeds, losses = tuple(map(int, entry["seeds"])), tuple(map(float, entry["exact_val_losses"]))
    if len(seeds) != len(losses) or len(seeds) < 2:
        raise ValueError(f"{len(losses)} losses for {len(seeds)} seeds")
    names = ("recipe", "configuration", "corpus", "validation_titles_sha256", "device")
    texts = {name: str(entry[name]) for name in names}
    return NoiseFloor(**texts, seeds=seeds, exact_val_losses=losses)
