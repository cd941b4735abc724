"""Configurations: frozen dataclasses that turn into plain JSON and back, and that refuse unknown keys.

A slot (position, optimizer, ...) holds a Config; *which* Config class it holds is the selection, so there is no
`kind="rope"` flag to keep in step with fields. On disk the class is named by `kind`, e.g. `optim.adamw:AdamW`.
Stdlib only.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import sys
import types
import typing
from typing import Any, Self

from sevenepochs.errors import UserError, nearest

_PACKAGE = "sevenepochs."


class Config:
    """Base of every configuration. Subclasses are `@dataclass(frozen=True)` and check ranges in `__post_init__`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; nested configs become objects that carry their `kind`."""
        fields = {f.name: _to_plain(getattr(self, f.name)) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {"kind": kind_of(type(self)), **fields}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of `to_dict`.

        Raises:
            UserError: unknown or missing key, wrong type, or a kind that is not a subclass of `cls`.
        """
        return _config_from_plain(cls, data, where="config")

    def replace(self, path: str, value: Any) -> Self:
        """A copy with the field at a dotted path changed, e.g. `replace("optimizer.lr", 3e-3)`.

        Args:
            value: a value of the field's type, its text form ("3e-3", "true", "none"), or, for a slot, a Config or a kind.

        Raises:
            UserError: unknown key (the nearest one is named) or a value that does not fit.
        """
        return self._replace(path.split("."), value, path)

    def _replace(self, keys: list[str], value: Any, path: str) -> Self:
        key, rest = keys[0], keys[1:]
        hints = _fields(type(self))
        if key not in hints:
            raise UserError(f"unknown key {key!r} in {path!r} ({kind_of(type(self))}){nearest(key, list(hints))}")
        if rest:
            inner = getattr(self, key)
            if not isinstance(inner, Config):
                raise UserError(f"{path!r}: {key!r} has no fields (it is {inner!r})")
            new = inner._replace(rest, value, path)
        else:
            new = _coerce(hints[key], value, path)
        return dataclasses.replace(self, **{key: new})  # type: ignore[type-var]

    def fingerprint(self) -> str:
        """sha256 of the canonical JSON form, first 12 hex digits."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def kind_of(cls: type) -> str:
    """`sevenepochs.optim.adamw.AdamW` is `optim.adamw:AdamW`; classes outside the package keep their full module."""
    return f"{cls.__module__.removeprefix(_PACKAGE)}:{cls.__qualname__}"


def check_range(where: str, value: float, low: float, high: float = float("inf"), *, open_high: bool = False) -> None:
    """Raise a UserError unless low <= value <= high (value < high with `open_high`); NaN never passes."""
    if not (low <= value and (value < high if open_high else value <= high)):
        bound = f"in [{low:g}, {high:g}{')' if open_high else ']'}" if high != float("inf") else f">= {low:g}"
        raise UserError(f"{where} = {value!r} is out of range; it must be {bound}")


def _fields(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def _to_plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return [_to_plain(v) for v in value]
    return value


def _resolve(kind: str, base: type, where: str) -> type:
    """The class a kind names. Package modules are imported; others must be loaded already, so that a config.json
    from somebody else can never make us import their code."""
    module_name, _, qualname = kind.partition(":")
    module = sys.modules.get(module_name)
    if module is None or not qualname:
        try:
            module = importlib.import_module(_PACKAGE + module_name)
        except ImportError:
            raise UserError(
                f"{where}: {kind!r} is not part of this package; load the file that defines it first (--import FILE.py)"
            ) from None
    found = getattr(module, qualname, None)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UserError(f"{where}: {kind!r} is not a {base.__name__}")
    return found


def _config_from_plain(base: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise UserError(f"{where}: expected an object with a 'kind', got {str(data)[:60]!r}")
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
    """`value` as the annotated type, or a UserError. Text is parsed, so that command-line values need no quoting."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        members = typing.get_args(hint)
        if type(None) in members and (value is None or (isinstance(value, str) and value.lower() == "none")):
            return None
        errors: list[str] = []
        for member in members:
            if member is type(None):
                continue
            try:
                return _coerce(member, value, where)
            except UserError as error:
                errors.append(str(error))
        raise UserError(errors[0])
    if origin is typing.Literal:
        choices = typing.get_args(hint)
        if value in choices:
            return value
        raise UserError(f"{where} = {value!r}{nearest(str(value), [str(c) for c in choices])}")
    if origin is tuple:
        item = typing.get_args(hint)[0]
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(_coerce(item, part, where) for part in parts)
    if isinstance(hint, type) and issubclass(hint, Config):
        if isinstance(value, hint):
            return value
        if isinstance(value, str):
            return _config_from_plain(hint, {"kind": value}, where)
        return _config_from_plain(hint, value, where)
    if hint is bool:
        known = {"true": True, "false": False, True: True, False: False}
        key = value.lower() if isinstance(value, str) else value
        if isinstance(key, (str, bool)) and key in known:
            return known[key]
    elif hint in (int, float) and not isinstance(value, bool):
        try:
            number = float(value)
            if hint is float:
                return number
            if number.is_integer():
                return int(value) if isinstance(value, int) else int(number)
        except (TypeError, ValueError, OverflowError):
            pass
    elif hint is str and isinstance(value, str):
        return value
    raise UserError(f"{where} = {value!r} is not {_article(hint)}")


def _article(hint: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return names.get(hint, f"a valid {hint}")
