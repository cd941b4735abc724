"""Operators, slices, names and losses on the audit's values. What is not followed is UNKNOWN."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sevenepochs.audit.source_values import (
    CHARS,
    MAX_SPANS,
    UNKNOWN,
    VOCABULARY,
    Bound,
    Count,
    Data,
    Logits,
    ModelOut,
    Nats,
    Place,
    Start,
    part_of,
)

MAX_INTEGER = 10**15
OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
GEOMETRY = frozenset({"block_size", "batch_size", "context_length", "seq_len", "sequence_length"})
_BLOCK = re.compile(r"block_?size|context_?(len|length|size)|seq_?len|sequence_length|^T$|max_len$")
_BATCH = re.compile(r"(^|_)batch_?size$|^B$|^bs$", re.IGNORECASE)
_VAL = re.compile(r"(^|_)(val|valid|validation|dev|heldout)(_|$)", re.IGNORECASE)
_TRAIN = re.compile(r"(^|_)(train|training)(_|$)", re.IGNORECASE)


def by_name(name: str, sizes: dict[str, int]) -> Any:
    """What an unknown value is by its name: `val_ids`, `train_text`, `block_size`."""
    if _BLOCK.search(name):
        return next((sizes[key] for key in sizes if _BLOCK.search(key)), 128)
    if _BATCH.search(name) and not re.search("micro|mini", name):
        return sizes.get("batch_size", 64)
    split = "val" if _VAL.search(name) else "train" if _TRAIN.search(name) else None
    if split is None:
        return UNKNOWN
    whole = Data("titles", frozenset({split}))
    if re.search(r"(ids|tokens?|data|stream|tensor)$", name):
        return whole.as_ids()
    if re.search(r"(text|string|corpus|str)$", name):
        return replace(whole, kind="text", separator="<eos>")
    return whole if re.search(r"(titles|headlines|docs|lines|set|texts)$", name) else UNKNOWN


def element(data: Data) -> Data:
    """One title that stands for each; one word or letter of a title."""
    inner = {"rows": "title", "titles": "title", "title": "word", "words": "word"}
    return replace(data, kind=inner.get(data.kind, data.kind))


def collected(title: Data) -> Data:
    """The titles again, from the one that stood for each."""
    return replace(title, kind="titles")


def with_item(titles: Data, item: Any) -> Data:
    """The titles after `titles[i] = item` for some or all of them."""
    if isinstance(item, Data) and item.kind in ("title", "text"):
        return replace(titles, changes=titles.changes | item.changes)
    return titles.changed("rewritten one by one")


def unpacked(value: Any, n: int) -> list[Any]:
    """`a, b = value`: n parts."""
    if isinstance(value, list | tuple) and len(value) == n:
        return list(value)
    if isinstance(value, ModelOut):
        return [Logits(value.x), own_loss(value), *[UNKNOWN] * (n - 2)][:n]
    return [UNKNOWN] * n


def own_loss(output: ModelOut) -> Any:
    """The loss that a model's forward pass returns: taken as the mean over the targets."""
    if output.y is None:
        return UNKNOWN
    loss = cross_entropy(Logits(output.x), output.y, "mean", output.origin)
    return loss.changed("the model's own loss") if isinstance(loss, Nats) else loss


def cross_entropy(logits: Logits, target: Data, reduction: Any, origin: Place | None) -> Any:
    """The loss of the target ids under logits."""
    changes = set(logits.changes) | {f"targets {change}" for change in target.changes if change.startswith("token")}
    x, size = logits.x, target.size
    if size == 0:
        return UNKNOWN
    if not (x.random or target.random) and x.spans and target.spans and x.spans[0][0] + 1 != target.spans[0][0]:
        changes.add("targets are not the next tokens")
    if x.size != size:
        changes.add("only a part of each window is scored" if size < x.size else "targets do not match the inputs")
    loss = Nats(leaf=target.spans, changes=frozenset(changes), x=x, y=target, origin=origin)
    return loss.scaled(1 / size) if reduction == "mean" else loss


def as_logits(value: Logits | ModelOut, change: str | None = None) -> Logits:
    """Logits, of a model's output too, with what was done to them."""
    logits = Logits(value.x) if isinstance(value, ModelOut) else value
    return replace(logits, changes=logits.changes | {f"logits {change}"}) if change else logits


def add(left: Any, right: Any) -> Any:
    """`+` on texts and lists."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Data) and one.kind in ("title", "text", "word") and isinstance(other, str):
            closing = one.kind == "text" or not other  # the closing separator
            return one if closing else one.changed("text inserted")
        if isinstance(one, Data) and isinstance(other, Data) and one.kind == other.kind and one.kind != "ids":
            repeats = max(one.repeats, other.repeats)
            if one.split & other.split:
                repeats = one.repeats + other.repeats
            return replace(one, split=one.split | other.split, changes=one.changes | other.changes, repeats=repeats)
        if isinstance(one, Data) and one.kind == "titles" and isinstance(other, list):
            return one if not other else one.changed("joined with other titles")
        if isinstance(one, Data) and other is UNKNOWN and one.kind in ("titles", "text", "title", "word"):
            return one.changed("text inserted" if one.kind in ("title", "word") else "joined with something unknown")
    if isinstance(left, Data) and isinstance(right, Data) and left.kind == right.kind == "ids":
        if len(left.spans) + len(right.spans) > MAX_SPANS:
            return UNKNOWN
        both = left.split | right.split
        shift = sum(hi - lo for lo, hi in left.spans)
        spans = left.spans + tuple((lo + shift, hi + shift) for lo, hi in right.spans)
        repeats = left.repeats + right.repeats if left.split & right.split else max(left.repeats, right.repeats)
        return replace(left, split=both, spans=spans, shape=None, changes=left.changes | right.changes, repeats=repeats)
    if isinstance(left, str) and isinstance(right, str):
        return left + right if len(left) + len(right) < 10_000 else UNKNOWN
    if isinstance(left, list) and isinstance(right, list):
        return left + right if len(left) + len(right) <= MAX_SPANS else UNKNOWN
    return UNKNOWN


def combine(left: Any, op: ast.operator, right: Any, place: Place) -> Any:
    """A binary operator on meanings that are not both numbers."""
    plain = not any(isinstance(side, Nats | Logits | ModelOut | Count | Start) for side in (left, right))
    if isinstance(op, ast.Add) and plain:
        return add(left, right)
    if isinstance(left, Nats) or isinstance(right, Nats):
        return _combine_nats(left, op, right, place)
    if isinstance(left, Logits | ModelOut) or isinstance(right, Logits | ModelOut):
        return _combine_logits(left, op, right)
    if isinstance(right, Count) and left == 0 and isinstance(op, ast.Div):
        return Nats(divisor=replace(right, origin=place))  # no window fitted: the sum over none of them
    if isinstance(left, Start) and isinstance(right, int) and isinstance(op, ast.Add | ast.Sub):
        return Start(left.offset + (right if isinstance(op, ast.Add) else -right))
    if isinstance(right, Start) and isinstance(left, int) and isinstance(op, ast.Add):
        return Start(right.offset + left)
    if isinstance(right, Count) and isinstance(left, int | float) and isinstance(op, ast.Mult | ast.Add):
        left, right = right, left
    if isinstance(left, Count):
        if isinstance(op, ast.Add | ast.Sub) and isinstance(right, int) and abs(right) <= 10:
            return left
        if isinstance(op, ast.Mult) and isinstance(right, int | float):
            return replace(left, factor=left.factor * right)
        if isinstance(op, ast.Div) and isinstance(right, int | float) and right:
            return replace(left, factor=left.factor / right)
        return _chars(left) / right if isinstance(op, ast.Div) and isinstance(right, int) and right else UNKNOWN
    if isinstance(left, Data) and isinstance(op, ast.Mult) and isinstance(right, int) and left.kind != "title":
        return replace(left, repeats=left.repeats * right) if left.kind == "titles" else UNKNOWN
    if isinstance(left, list) and isinstance(op, ast.Mult) and isinstance(right, int) and len(left) * right <= 10_000:
        return left * right
    return UNKNOWN


def _chars(count: Count) -> float:
    return count.factor * sum(CHARS[part] for part in count.data.split)


def _combine_nats(left: Any, op: ast.operator, right: Any, place: Place) -> Any:
    if isinstance(op, ast.Add | ast.Sub):
        if isinstance(left, Nats) and isinstance(right, Nats):
            return left + (right if isinstance(op, ast.Add) else right.scaled(-1))
        loss, other = (left, right) if isinstance(left, Nats) else (right, left)
        if isinstance(other, int | float) and abs(other) < 1e-6:
            return loss if left is loss or isinstance(op, ast.Add) else loss.scaled(-1)
        return loss.changed("joined with something unknown")
    if isinstance(op, ast.Mult):
        loss, other = (left, right) if isinstance(left, Nats) else (right, left)
        if isinstance(other, int | float):
            return loss.scaled(other)
        return loss.changed("rewritten by a factor")
    if isinstance(op, ast.Div) and isinstance(left, Nats):
        if isinstance(right, int | float) and right:
            return replace(left.scaled(1 / right), origin=left.origin)
        if isinstance(right, Count) and left.divisor is None:
            return replace(left, divisor=replace(right, origin=place))
        return left.changed("rewritten by an unknown divisor")
    return UNKNOWN


def _combine_logits(left: Any, op: ast.operator, right: Any) -> Any:
    value, other = (left, right) if isinstance(left, Logits | ModelOut) else (right, left)
    if isinstance(op, ast.Div | ast.Mult) and isinstance(other, int | float):
        return as_logits(value) if other == 1 else as_logits(value, f"scaled by {other:g}")
    if isinstance(op, ast.Div | ast.Mult):
        return as_logits(value, "scaled")
    return as_logits(value, "mixed with something else")


def sliced(owner: Any, lower: Any, upper: Any, step: Any, place: Place) -> Any:
    """`owner[lower:upper:step]`."""
    if isinstance(owner, Data):
        return part_of(owner, lower, upper, step, place)
    if isinstance(owner, Logits | ModelOut):
        return as_logits(owner, "cut")
    plain = all(bound is None or isinstance(bound, int) for bound in (lower, upper, step)) and step != 0
    if isinstance(owner, list | tuple | str | range) and plain:
        return owner[lower:upper:step]
    return UNKNOWN


def item(owner: Any, key: Any, place: Place) -> Any:
    """`owner[key]`."""
    if isinstance(owner, Data):
        if owner.kind in ("rows", "titles"):
            return replace(owner, kind="titles") if isinstance(key, str) else element(owner)
        if owner.kind in ("title", "word", "words"):
            return owner if isinstance(key, str) else element(owner).changed("cut")
        if owner.kind == "ids" and owner.shape and isinstance(key, int):
            return part_of(owner, key, key + 1 or None, None, place)
        if owner.kind == "ids" and not isinstance(key, int):
            return replace(owner, random=True, origin=place)
        return UNKNOWN
    if isinstance(owner, ModelOut):
        return {0: Logits(owner.x), 1: own_loss(owner), "logits": Logits(owner.x), "loss": own_loss(owner)}.get(
            key, UNKNOWN
        )
    if isinstance(owner, Logits):
        return as_logits(owner, "cut")
    if isinstance(owner, dict) and isinstance(key, str | int):
        return owner.get(key, by_name(key, {}) if isinstance(key, str) else UNKNOWN)
    if isinstance(owner, list | tuple | str | range) and isinstance(key, int) and -len(owner) <= key < len(owner):
        return owner[key]
    return by_name(key, {}) if isinstance(key, str) else UNKNOWN


def attribute(owner: Any, name: str) -> Any:
    """`owner.name` on a value that the audit follows."""
    if isinstance(owner, Data) and owner.kind == "ids":
        if name == "shape":
            return owner.shape or (owner.size,)
        if name in ("ids", "input_ids", "data", "T", "mT"):
            return owner
    if isinstance(owner, Data) and name == "title":
        return Bound(owner, name) if owner.kind != "rows" else owner
    if isinstance(owner, ModelOut):
        if name == "loss":
            return own_loss(owner)
        if name == "logits":
            return Logits(owner.x)
    if isinstance(owner, Logits | ModelOut) and name == "shape":
        return logits_shape(owner)
    return Bound(owner, name)


def logits_shape(value: Logits | ModelOut) -> tuple[Any, ...]:
    """Rows, columns, classes."""
    return (*(value.x.shape or (value.x.size,)), VOCABULARY)


def binary(left: Any, op: ast.operator, right: Any, place: Place) -> Any:
    """An operator on two meanings."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        if isinstance(op, ast.Pow):
            small = abs(left) <= 10_000 and 0 <= right <= 12 and isinstance(left, int)
            return left**right if small and isinstance(right, int) else UNKNOWN
        if type(op) not in OPERATORS or (right == 0 and not isinstance(op, ast.Add | ast.Sub | ast.Mult)):
            return UNKNOWN
        try:
            value = OPERATORS[type(op)](left, right)
        except (OverflowError, ValueError, ZeroDivisionError):
            return UNKNOWN
        return value if abs(value) <= MAX_INTEGER else UNKNOWN
    return combine(left, op, right, place)
