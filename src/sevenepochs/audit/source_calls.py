"""The library functions that the audit follows: Python's own, torch, datasets. All else is UNKNOWN."""

from __future__ import annotations

import ast
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from sevenepochs.audit.source_methods import SAME, degraded, method
from sevenepochs.audit.source_operators import as_logits, binary, by_name, cross_entropy
from sevenepochs.audit.source_values import (
    MAX_SPANS,
    UNKNOWN,
    Arguments,
    Bound,
    Count,
    Data,
    External,
    Logits,
    ModelOut,
    Nats,
    Place,
    Start,
)

if TYPE_CHECKING:
    from sevenepochs.audit.source_machine import Machine


def call(machine: Machine, function: Any, args: list[Any], words: dict[str, Any], place: Place) -> Any:
    """A library function, a method, or something unknown."""
    if isinstance(function, Bound):
        if function.name == "<partial>":
            return machine.call(function.value, [*function.args, *args], dict(function.keywords) | words, place)
        return method(machine, function.value, function.name, args, words, place)
    if isinstance(function, External):
        name = function.last
        if name in _BUILTIN_CALLS and function.home in _BUILTIN_HOMES:
            value = _builtin(machine, name, args, words)
            if value is not None:
                return value
        return external(machine, name, function.name, args, words, place)
    return degraded(machine, "an unknown function", args, words, place)


# Python's own functions that are followed, and what numpy, torch and math have of the same name.
_BUILTIN_CALLS = frozenset({
    "len", "range", "int", "float", "sum", "min", "max", "enumerate", "zip", "abs", "round", "sorted", "set",
    "vars", "getattr", "arange", "ceil", "floor", "str", "dict", "frozenset", "map", "filter", "next", "mean",
})  # fmt: skip
_BUILTIN_HOMES = frozenset(["", "math", "np", "builtins", "torch"])


def _builtin(machine: Machine, name: str, args: list[Any], words: dict[str, Any]) -> Any:
    first = args[0] if args else None
    numbers = bool(args) and all(isinstance(arg, int | float) for arg in args)
    if name == "len":
        if isinstance(first, Data):
            if first.kind in ("text", "bytes"):
                return Count("bytes" if first.kind == "bytes" else "chars", first)
            return len(first) if first.kind in ("rows", "titles", "ids") else UNKNOWN
        return len(first) if isinstance(first, list | tuple | str | dict | range) else UNKNOWN
    if name in ("range", "arange"):
        whole = [int(arg) for arg in args if isinstance(arg, int)]
        if len(whole) == len(args) and 1 <= len(args) <= 3 and (len(args) < 3 or whole[2] != 0):
            found = range(*whole)
            return found if len(found) < 10**9 else UNKNOWN
        return UNKNOWN
    if name in ("int", "float", "round", "abs", "ceil", "floor", "str"):
        if isinstance(first, Nats | Data) and name != "abs":
            return first
        if isinstance(first, int | float) and abs(first) < 10**15:
            if name in ("float", "abs", "str"):
                return float(first) if name == "float" else abs(first) if name == "abs" else str(first)
            if name == "ceil":
                return -int(-first // 1)
            return round(first) if name == "round" else int(first // 1)
        return UNKNOWN
    if name in ("min", "max"):
        pool = list(first) if len(args) == 1 and isinstance(first, list | tuple) else args
        losses = [value for value in pool if isinstance(value, Nats)]
        if losses:
            return losses[0].changed("best of several")
        numbers = bool(pool) and all(isinstance(value, int | float) for value in pool)
        return (min if name == "min" else max)(pool) if numbers else UNKNOWN
    if name in ("sum", "mean"):
        if not isinstance(first, list | tuple) or not first:
            return None if name == "mean" else UNKNOWN
        total: Any = first[0]
        for value in first[1:]:
            total = binary(total, ast.Add(), value, Place(machine.entry, 1))
        return total if name == "sum" else binary(total, ast.Div(), len(first), Place(machine.entry, 1))
    if name == "enumerate":
        values = machine.iterate(first)
        return [(i, value) for i, value in zip(range(20_000), values, strict=False)] if values is not None else UNKNOWN
    if name == "zip":
        pools = [pool for pool in map(machine.iterate, args) if pool is not None]
        return list(islice(zip(*pools, strict=False), MAX_SPANS)) if pools and len(pools) == len(args) else UNKNOWN
    if name in ("set", "frozenset"):
        return first.changed("de-duplicated") if isinstance(first, Data) else first
    if name == "sorted":
        return first.changed("reordered") if isinstance(first, Data) else first
    if name == "next":
        return first[0] if isinstance(first, list | tuple) and first else UNKNOWN
    if name == "dict":
        return dict(words)
    if name in ("map", "filter") and len(args) == 2:
        values = machine.iterate(args[1])
        if values is None:
            return UNKNOWN
        found_values = [machine.call(first, [value], {}, Place(machine.entry, 0)) for value in list(values)[:20_000]]
        if isinstance(args[1], Data) and args[1].kind == "titles":
            if name == "filter":
                return args[1].changed("filtered")
            same = found_values and isinstance(found_values[0], Data)
            return replace(found_values[0], kind="titles") if same else args[1].changed("rewritten")
        return found_values if name == "map" else UNKNOWN
    if name == "getattr" and len(args) >= 2 and isinstance(args[1], str):
        attributes = getattr(first, "attributes", None)
        return attributes[args[1]] if isinstance(attributes, dict) and args[1] in attributes else by_name(args[1], {})
    return None


def external(machine: Machine, name: str, full: str, args: list[Any], words: dict[str, Any], place: Place) -> Any:
    """A function of a library, by its last name."""
    first = args[0] if args else None
    if name in ("cross_entropy", "nll_loss", "cross_entropy_loss"):
        return _loss_call(args, words, place)
    if name in ("CrossEntropyLoss", "NLLLoss", "partial"):
        target: Any = External("cross_entropy") if name != "partial" else first
        rest = tuple(args[1:]) if name == "partial" else ()
        return Bound(target, "<partial>", rest, tuple(words.items()))
    if name == "ArgumentParser":
        return Arguments()
    if name == "load_dataset" or full.endswith(("read_parquet", "load_from_disk", "from_parquet", "from_pandas")):
        return Data("rows", frozenset({"train", "val"}))
    if name in ("randint", "randperm", "permutation", "sample", "choices", "multinomial"):
        return _random_starts(name, args, words, place)
    if name == "shuffle" and isinstance(first, list):
        for index, value in enumerate(first):
            first[index] = replace(value, random=True) if isinstance(value, Data) else value
        return None
    if name in ("stack", "cat", "concat", "concatenate", "vstack", "hstack") and isinstance(first, list | tuple):
        return _stacked(name, list(first))
    if (
        name == "islice"
        and isinstance(first, list)
        and len(args) > 1
        and isinstance(args[-1] if len(args) < 4 else 0, int)
    ):
        return first[args[1] if len(args) > 2 else 0 : args[1] if len(args) == 2 else args[2]]
    if name in ("log_softmax", "softmax") and isinstance(first, Logits | ModelOut):
        return as_logits(first) if name == "log_softmax" else as_logits(first, "through softmax")
    if name in ("tanh", "logaddexp", "clamp", "where") and any(isinstance(arg, Logits | ModelOut) for arg in args):
        value = next(arg for arg in args if isinstance(arg, Logits | ModelOut))
        return as_logits(value, "soft-capped" if name == "tanh" else f"through {name}")
    if name in ("mean", "sum", "stack") and isinstance(first, Nats):
        return method(machine, first, name, args[1:], words, place)
    if name == "train_test_split" and isinstance(first, Data):
        return [replace(first, split=frozenset({"train"})), replace(first, split=frozenset({"val"}))]
    if name == "fromkeys" and isinstance(first, Data):
        return first.changed("de-duplicated")
    if full.startswith("re.") or name in ("unidecode", "normalize", "sub"):
        data = next((arg for arg in args if isinstance(arg, Data)), None)
        if data is not None:
            return data.changed(f"rewritten by {full}")
    if name in SAME or name in ("evaluate_mode", "inference_mode"):
        return first if args else UNKNOWN
    if name in ("exp", "log2") and isinstance(first, Nats):
        return first.changed(f"through {name}")
    return degraded(machine, full, args, words, place)


def _loss_call(args: list[Any], words: dict[str, Any], place: Place) -> Any:
    logits = args[0] if args else words.get("input")
    target = args[1] if len(args) > 1 else words.get("target")
    if not isinstance(logits, Logits | ModelOut) or not isinstance(target, Data) or target.kind != "ids":
        return UNKNOWN
    loss = cross_entropy(as_logits(logits), target, words.get("reduction", "mean"), place)
    if not isinstance(loss, Nats):
        return UNKNOWN
    if words.get("label_smoothing", 0.0) not in (0, 0.0):
        loss = loss.changed("label smoothing")
    if words.get("weight") is not None and "weight" in words:
        loss = loss.changed("weighted by class")
    ignored = words.get("ignore_index", -100)
    return loss if not isinstance(ignored, int) or ignored < 0 else loss.changed("some targets ignored")


def _random_starts(name: str, args: list[Any], words: dict[str, Any], place: Place) -> Any:
    if args and isinstance(args[0], Data):
        return replace(args[0], random=True, origin=place).changed(
            "sampled" if args[0].kind == "titles" else "shuffled"
        )
    if args and isinstance(args[0], list) and args[0] and isinstance(args[0][0], Data):
        return [
            replace(value, random=True)
            for value in args[0][: args[1] if len(args) > 1 and isinstance(args[1], int) else None]
        ]
    sizes = [arg for arg in (*args, words.get("size")) if isinstance(arg, tuple | list) and arg]
    sizes = [size for size in sizes if isinstance(size[0], int)]
    count = (
        sizes[0][0]
        if sizes
        else args[0]
        if name in ("randperm", "permutation") and args and isinstance(args[0], int)
        else None
    )
    if name == "randint" and count is None:
        return Start()
    return [Start() for _ in range(min(count or 1, 20_000))]


def _stacked(name: str, parts: list[Any]) -> Any:
    if parts and all(isinstance(part, Nats) for part in parts):
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total
    if not parts or not all(isinstance(part, Data) and part.kind == "ids" for part in parts):
        return UNKNOWN
    if sum(len(part.spans) for part in parts) > MAX_SPANS:
        return UNKNOWN
    spans = tuple(span for part in parts for span in part.spans)
    changes = frozenset().union(*(part.changes for part in parts))
    split = frozenset().union(*(part.split for part in parts))
    shape = (
        (len(parts), parts[0].size) if name in ("stack", "vstack") and len({part.size for part in parts}) == 1 else None
    )
    return replace(
        parts[0], spans=spans, shape=shape, changes=changes, split=split, random=any(part.random for part in parts)
    )
