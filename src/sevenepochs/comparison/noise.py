"""Seed noise: how far the exact loss moves when nothing but the seed changes. No torch.

Measured from runs of one recipe and configuration with several seeds, and kept in results/noise.json, where `compare`
finds it. The interval of the standard deviation is the chi-square one: with three seeds it reaches from half to six
times the measured value, so the noise measured on three seeds is an order of magnitude and no more.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sevenepochs.comparison.paired import Interval, sd_interval
from sevenepochs.errors import UserError, command
from sevenepochs.store import measured
from sevenepochs.store.choosing import recipe_key
from sevenepochs.store.results import Result

SEEDS_TO_CLAIM = 3  # of two, the deviation is too often far too small
FILE = "noise.json"
_SCHEMA_VERSION = 3  # 2: configurations were digested with kinds of before 30 November 2026


@dataclass(frozen=True)
class SeedNoise:
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
        assert found is not None, "noise is measured on two seeds or more"
        return found


def seed_noise(results: Sequence[Result]) -> SeedNoise:
    """Return the noise over runs that differ in their seed only; the caller has grouped them (`by_recipe`).

    Raises:
        UserError: fewer than two seeds.
    """
    by_seed = dict(sorted((result.seed, result.exact) for result in results))
    first = results[0]
    if len(by_seed) < 2:
        raise UserError(
            f"{first.recipe} has been run with one seed only ({first.seed}); the seed deviation needs at least "
            f"two: {command('noise', first.plain_recipe, *(['--proxy'] if first.is_proxy else []), '--train', 3)}"
        )
    devices = sorted({f"{result.machine.device} {result.machine.precision}" for result in results})
    return SeedNoise(
        recipe=first.recipe,
        configuration=_digest(first),
        corpus=first.corpus.name,
        validation_titles_sha256=first.titles,
        seeds=tuple(by_seed),
        exact_val_losses=tuple(by_seed.values()),
        device=", ".join(devices),
    )


def noise_for(results: Sequence[Result], noises: Iterable[SeedNoise]) -> SeedNoise | None:
    """Return the noise to judge these results by, which are on the same titles; None where none was measured there.

    It is the largest measured on their configurations where each has one, else the largest on these titles. A noise
    measured on enough seeds comes before others.
    """
    there = [noise for noise in noises if noise.validation_titles_sha256 == results[0].titles]
    compared = set(map(_digest, results))
    own = [noise for noise in there if noise.configuration in compared]
    # one recipe's noise says nothing about another's: they differ ninefold
    found = own if {noise.configuration for noise in own} == compared else there
    enough = [noise for noise in found if noise.n >= SEEDS_TO_CLAIM]
    return max(enough or found, key=lambda noise: noise.sd, default=None)


def _digest(result: Result) -> str:
    return hashlib.sha256(recipe_key(result).encode()).hexdigest()[:12]


def read_noises(results_root: Path) -> list[SeedNoise]:
    """Return every noise in results/noise.json; none where there is no such file. Raises UserError: it is damaged."""
    return measured.read(results_root / FILE, "floors", _SCHEMA_VERSION, _noise, "sevenepochs noise")


def store(noise: SeedNoise, results_root: Path) -> Path:
    """Put `noise` into results/noise.json in place of an older one of that configuration and machine. Raises UserError:
    the file is damaged or cannot be written."""
    key = (noise.configuration, noise.device)
    others = [old for old in read_noises(results_root) if (old.configuration, old.device) != key]
    rows = sorted([*others, noise], key=lambda f: (f.corpus, f.recipe, f.configuration, f.device))
    file = results_root / FILE
    measured.write(file, "floors", _SCHEMA_VERSION, map(to_json, rows))
    return file


def to_json(noise: SeedNoise) -> dict[str, Any]:
    """Return the stored fields, and mean, deviation and its interval for readers of the file."""
    return {**asdict(noise), "n": noise.n, "mean": noise.mean, "sd": noise.sd, "sd_interval_95": noise.sd_interval}


def _noise(entry: dict[str, Any]) -> SeedNoise:
    seeds, losses = tuple(map(int, entry["seeds"])), tuple(map(float, entry["exact_val_losses"]))
    if len(seeds) != len(losses) or len(seeds) < 2:
        raise ValueError(f"{len(losses)} losses for {len(seeds)} seeds")
    names = ("recipe", "configuration", "corpus", "validation_titles_sha256", "device")
    texts = {name: str(entry[name]) for name in names}
    return SeedNoise(**texts, seeds=seeds, exact_val_losses=losses)
