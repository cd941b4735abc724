"""The space of a search: ranges on dotted paths of an experiment's configuration, and the default ranges.

A range is written KEY=LOW..HIGH, with :log behind it for a logarithmic scale or :STEP for a grid, or KEY=A,B,C for a
choice. KEY may hold `*`: every numeric field whose path it matches then takes the same value, so `*dropout=0..0.3` is
one dimension.
"""

from __future__ import annotations

import contextlib
import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sevenepochs.config import Config
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment

_DROPOUT = (0.0, 0.3)
_FACTOR_LR = 4.0
_FACTOR_DECAY = 5.0
_DECAY = 0.1  # the most, where the recipe has none
_FACTOR_WEIGHT = 3.0
_THE_SAME_FOR_ALL = ("corpus.", "training.seed", "training.epochs")  # trials that differ in these are not comparable


@dataclass(frozen=True)
class Dimension:
    """One thing that is varied: `paths` all take the same value.

    Attributes:
        name: as the user wrote it, and as tables show it.
        low, high, log, step: a range; `step` None is continuous.
        choices: instead of a range.
        whole: the fields are integers.
    """

    name: str
    paths: tuple[str, ...]
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    choices: tuple[float, ...] = ()
    whole: bool = False


def default_space(experiment: Experiment) -> list[Dimension]:
    """Return ranges for width, the dropout rates together, the objective's weight, decays and learning rates, as far as
    the recipe has them."""
    fields = variable_fields(experiment)
    texts = [f"model.n_head={','.join(str(n) for n in _heads(experiment.model.n_head))}"]
    for path, value in fields.items():
        name = path.rpartition(".")[2]
        if path == "objective.weight" and value:
            texts.append(_around(path, value, _FACTOR_WEIGHT))
        elif name == "weight_decay" and path.startswith("optimizer"):
            # a logarithmic range has no place for 0, and the first trial is the recipe as it is
            texts.append(_around(path, value, _FACTOR_DECAY) if value else f"{path}=0..{_DECAY}")
        elif name == "lr" and path.startswith("optimizer"):
            texts.append(_around(path, value, _FACTOR_LR))
    found = []
    for text in texts:
        with contextlib.suppress(UserError):  # where the recipe leaves nothing to vary: a single number of heads
            found.append(parse_dimension(text, experiment))
    return [*found, *_dropout(fields)]


def parse_space(texts: Sequence[str], experiment: Experiment) -> list[Dimension]:
    """Ranges in the user's words. Raises UserError: one is malformed, names no setting that can be varied, or two name
    the same one."""
    found: list[Dimension] = []
    for text in texts:
        dimension = parse_dimension(text, experiment)
        for other in found:
            if shared := set(dimension.paths) & set(other.paths):
                raise UserError(f"--vary {text!r}: {min(shared)} varies with {other.name!r} already; name it once")
        found.append(dimension)
    return found


def parse_dimension(text: str, experiment: Experiment) -> Dimension:
    """One range in the user's words. Raises UserError: malformed, or no setting that can be varied has such a path."""
    key, equals, values = text.partition("=")
    example = "write KEY=LOW..HIGH[:log|:STEP] or KEY=A,B,C, e.g. optimizer.lr=1e-4..1e-2:log"
    if not equals or not key or not values:
        raise UserError(f"--vary {text!r}: {example}")
    fields = variable_fields(experiment)
    paths = tuple(path for path in fields if fnmatch.fnmatchcase(path, key))
    if not paths:
        raise UserError(f"--vary {text!r}: there is no setting {key!r} to vary; there are {', '.join(fields)}")
    whole = all(isinstance(fields[path], int) for path in paths)
    span, colon, scale = values.partition(":")
    low_text, dots, high_text = span.partition("..")
    try:
        if not dots:
            choices = tuple(_number(part) for part in span.split(","))
            if colon or len(set(choices)) < 2:
                raise ValueError
            _check_whole(text, whole, choices)
            return Dimension(key, paths, choices=choices, whole=whole)
        low, high = _number(low_text), _number(high_text)
        step = _number(scale) if colon and scale != "log" else None
    except ValueError:
        raise UserError(f"--vary {text!r}: {example}") from None
    if not low < high or (scale == "log" and low <= 0) or (step is not None and step <= 0):
        raise UserError(f"--vary {text!r}: the range is empty (a logarithmic one begins above 0)")
    _check_whole(text, whole, (low, high, step or 1))
    return Dimension(key, paths, low, high, scale == "log", step, (), whole)


def _check_whole(text: str, whole: bool, numbers: Iterable[float]) -> None:
    if whole and any(number != round(number) for number in numbers):
        raise UserError(f"--vary {text!r}: the setting is a whole number, so its range and step are too")


def changes(
    experiment: Experiment, dimensions: Sequence[Dimension], values: Mapping[str, float]
) -> dict[str, float | int]:
    """Return dotted paths with their new values, as `replace_all` takes them; more heads widen the model."""
    new: dict[str, float | int] = {}
    for dimension in dimensions:
        value = values[dimension.name]
        if dimension.whole:
            value = round(value)
        elif not dimension.choices and dimension.step is None:
            value = _three_digits(value, dimension)
        new |= dict.fromkeys(dimension.paths, value)
    if "model.n_head" in new and "model.d_model" not in new:
        new["model.d_model"] = int(new["model.n_head"]) * (experiment.model.d_model // experiment.model.n_head)
    return new


def variable_fields(experiment: Experiment) -> dict[str, int | float]:
    """Return every number in which comparable trials may differ: not the titles, the seed or the budget."""
    fields = numeric_fields(experiment)
    return {path: value for path, value in fields.items() if not path.startswith(_THE_SAME_FOR_ALL)}


def numeric_fields(config: Config, prefix: str = "") -> dict[str, int | float]:
    """Return every number in a configuration by its dotted path, in the configuration's order."""
    found: dict[str, int | float] = {}
    for name in config.to_dict():
        value = getattr(config, name, None)  # None: "kind" is no field
        if isinstance(value, Config):
            found |= numeric_fields(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[prefix + name] = value
    return found


def _three_digits(value: float, dimension: Dimension) -> float:
    """The value to three digits: more mean nothing. They are counted from the value's first, or from the range's where
    that is narrow: between 0.99 and 0.9999 to the fifth place."""
    scale = min(dimension.high - dimension.low, abs(value) or math.inf)
    rounded = round(value, 2 - math.floor(math.log10(scale)))
    return min(max(rounded, dimension.low), dimension.high)


def _dropout(fields: Mapping[str, int | float]) -> list[Dimension]:
    """One dimension for the places where the recipe has dropout: a place without it is a choice, and dropout on the
    attention weights costs the fused kernels. Where there is none at all, one for all places."""
    places = [path for path in fields if path.endswith("dropout")]
    used = [path for path in places if fields[path] > 0]
    return [Dimension("dropout", tuple(used or places), *_DROPOUT)] if places else []


def _heads(n_head: int) -> list[int]:
    """A quarter fewer to a quarter more heads; at proxy scale their number is halved, so it stays even."""
    return sorted({max(2, 2 * round(n_head * factor / 2)) for factor in (0.75, 1.0, 1.25)})


def _around(path: str, value: float, factor: float) -> str:
    return f"{path}={value / factor:.3g}..{value * factor:.3g}:log"


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
