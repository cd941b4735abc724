"""Configurations: frozen dataclasses that turn into plain JSON and back, and refuse unknown keys. Stdlib only.

A slot (position, optimizer, ...) holds a Config; *which* class it holds is the selection. On disk `kind` names the
class: a short name declared at the class (`adamw`; config/kinds.py lists them), or module:Class outside the package.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib
import json
import math
import numbers
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from sevenepochs.config.kinds import KINDS
from sevenepochs.config.old_configs import present_form
from sevenepochs.errors import UserError, nearest

NOT_A_SETTING = {"setting": False}  # metadata of a field that is no part of the configuration; `replace` keeps it
LEFT_OUT_AS_NONE = {"written": "unless none"}  # of a later field: configurations without it stay as they were written

_PACKAGE = "sevenepochs."
_type_hints = functools.cache(typing.get_type_hints)  # hints are text, which is slow to evaluate


class Config:
    """Base of every configuration. Subclasses are `@dataclass(frozen=True)` and check ranges in `__post_init__`.

    A class of this package declares its kind: `class AdamW(OptimizerConfig, kind="adamw")`. It is not inherited.
    """

    _kind: ClassVar[str | None] = None

    def __init_subclass__(cls, *, kind: str | None = None, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if kind is not None and not cls.__module__.startswith(_PACKAGE):
            raise UserError(f"class {cls.__name__}: kind={kind!r} is for classes of this package; leave it out")
        cls._kind = kind

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; nested configs become objects with their `kind`."""
        left_out = {f.name for f in dataclasses.fields(self) if f.metadata == LEFT_OUT_AS_NONE}  # type: ignore[arg-type]
        values = {name: getattr(self, name) for name in _fields(type(self))}
        fields = {name: _to_plain(v) for name, v in values.items() if v is not None or name not in left_out}
        return {"kind": kind_of(type(self)), **fields}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of `to_dict`, called at the class itself or at its slot's base class. Absent keys take defaults.

        Raises:
            UserError: unknown key, wrong type, or a kind that is not a subclass of `cls`.
        """
        return _config_from_plain(cls, data, where="config")

    def replace(self, path: str, value: Any) -> Self:
        """Return a copy with the field at a dotted path changed, e.g. `replace("optimizer.lr", 3e-3)`.

        Args:
            value: of the field's type, its text form ("3e-3", "true", "none"), or, for a slot, a Config or a kind.

        Raises:
            UserError: unknown key (the message names the nearest) or a value that does not fit.
        """
        return self.replace_all({path: value})

    def replace_all(self, changes: Mapping[str, Any]) -> Self:
        """Return a copy with the fields at several dotted paths changed at once, so that only the result has to be
        valid: `model.d_model` 100 and `model.n_head` 10 each fail alone on the stock values. Keys inside a slot that is
        also given belong to the new slot.

        Raises:
            UserError: as `replace`.
        """
        return self._replace_all(changes, prefix="")

    def _replace_all(self, changes: Mapping[str, Any], prefix: str) -> Self:
        hints = _fields(type(self))
        new: dict[str, Any] = {}
        nested: dict[str, dict[str, Any]] = {}
        for path, value in changes.items():
            key, _, rest = path.partition(".")
            if key not in hints:
                full = prefix + path
                raise UserError(f"unknown key {key!r} in {full!r} ({kind_of(type(self))}){nearest(key, list(hints))}")
            if rest:
                nested.setdefault(key, {})[rest] = value
            else:
                new[key] = _coerce(hints[key], value, prefix + path)
        for key, inner_changes in nested.items():
            inner = new.get(key, getattr(self, key))
            if not isinstance(inner, Config):
                full = f"{prefix}{key}.{next(iter(inner_changes))}"
                raise UserError(f"{full!r}: {key!r} has no fields (it is {inner!r})")
            new[key] = inner._replace_all(inner_changes, f"{prefix}{key}.")
        return dataclasses.replace(self, **new)  # type: ignore[type-var]

    def fingerprint(self) -> str:
        """Return the first 12 hex digits of the canonical JSON form's sha256."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def kind_of(cls: type[Config]) -> str:
    """Return the name of a class on disk: its declared kind, `adamw`, or module:Class where it declares none."""
    return cls._kind or f"{cls.__module__}:{cls.__qualname__}"


def check_range(where: str, value: float, low: float, high: float = float("inf"), *, open_high: bool = False) -> None:
    """Raise a UserError unless low <= value <= high (value < high with `open_high`); NaN and infinity never pass."""
    if not (low <= value and (value < high if open_high or math.isinf(high) else value <= high)):
        bound = f"in [{low:g}, {high:g}{')' if open_high else ']'}" if high != float("inf") else f">= {low:g}"
        raise UserError(f"{where} = {value!r} is out of range; it must be {bound}")


def check_choice(where: str, value: object, hint: Any) -> None:
    """Raise a UserError unless value is one of a Literal type's; values from Python have no other check."""
    _coerce(hint, value, where)


def _fields(cls: type) -> dict[str, Any]:
    """The settings of a config class with their types: its fields without those marked `NOT_A_SETTING`."""
    hints = _type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls) if f.metadata != NOT_A_SETTING}


def _to_plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return [_to_plain(v) for v in value]
    return value


def _resolve(kind: str, base: type[Config], where: str) -> type[Config]:
    """The class that a kind names in a slot. Other modules than the package's must be loaded already: a config.json
    from somebody else can never make us import their code."""
    if kind == base._kind:
        return base
    kinds = KINDS.get(base.__name__, {})
    known = list(kinds) or [kind_of(base)]
    module_name, _, name = kinds.get(kind, kind).partition(":")
    if not name:
        raise UserError(f"{where} = {kind!r}{nearest(kind, known)}")
    module = importlib.import_module(_PACKAGE + module_name) if kind in kinds else sys.modules.get(module_name)
    if module is None:
        raise UserError(
            f"{where}: {kind!r} is not part of this package, which has {', '.join(known)}; load the file that "
            "defines it first (--load FILE.py), as it was when the run began: its name and its content count"
        )
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    fits = isinstance(found, type) and issubclass(found, base) and dataclasses.is_dataclass(found)
    if not fits:
        raise UserError(f"{where}: {kind!r} is no {base.__name__} to choose; this package has {', '.join(known)}")
    return found


def _config_from_plain(base: type[Config], data: Any, where: str) -> Any:
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise UserError(f"{where}: expected an object with a 'kind', got {str(data)[:60]!r}")
    data = present_form(data)
    cls = _resolve(data["kind"], base, where)
    hints = _fields(cls)
    for key in data:
        if key != "kind" and key not in hints:
            raise UserError(f"{where}: unknown key {key!r} in {data['kind']}{nearest(key, list(hints))}")
    values = {key: _coerce(hints[key], value, f"{where}.{key}") for key, value in data.items() if key != "kind"}
    try:
        return cls(**values)
    except TypeError as error:
        raise UserError(f"{where}: {data['kind']}: {error}") from None


def _coerce(hint: Any, value: Any, where: str) -> Any:
    """`value` as the annotated type, or a UserError. Text is parsed, for values from the command line."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        members = typing.get_args(hint)
        if type(None) in members and (value is None or (isinstance(value, str) and value.lower() == "none")):
            return None
        errors: list[UserError] = []
        for member in (member for member in members if member is not type(None)):
            try:
                return _coerce(member, value, where)
            except UserError as error:
                errors.append(error)
        raise errors[0]
    if origin is typing.Literal:
        choices = typing.get_args(hint)
        if value in choices:
            return value
        raise UserError(f"{where} = {value!r}{nearest(str(value), [str(c) for c in choices])}")
    if origin is tuple:
        item = typing.get_args(hint)[0]
        if not isinstance(value, (str, list, tuple)):
            raise UserError(f"{where} = {value!r} is not a list")
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(_coerce(item, part, where) for part in parts)
    if isinstance(hint, type) and issubclass(hint, Config):
        if isinstance(value, hint):
            return value
        if isinstance(value, str):
            return _config_from_plain(hint, {"kind": value}, where)
        return _config_from_plain(hint, value, where)
    if hint is bool or isinstance(value, bool):
        text = str(value).lower()
        if hint is bool and isinstance(value, (bool, str)) and text in ("true", "false"):
            return text == "true"
    elif hint in (int, float) and isinstance(value, (str, numbers.Real)):
        try:
            if hint is float and math.isfinite(number := float(value)):
                return number
            if hint is int:
                return _whole(value)
        except (ValueError, OverflowError):  # not a number, or too large for one
            pass
    elif hint is str and isinstance(value, str):
        return value
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    raise UserError(f"{where} = {value!r} is not {names.get(hint, f'a valid {hint}')}")


def _whole(value: Any) -> int:
    """An int, also from "1e3" or 1e3; any number of digits is read exactly."""
    with contextlib.suppress(ValueError):
        if isinstance(value, (str, numbers.Integral)):
            return int(value)
    number = float(value)
    if number != int(number):
        raise ValueError(f"{value!r} is not whole")
    return int(number)
