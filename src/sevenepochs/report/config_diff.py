"""The change between two recipes as a reader would write it: the settings that differ, one per line. No torch."""

from __future__ import annotations

from typing import Any

from sevenepochs.store.choosing import NOT_OF_A_RECIPE

_NOT_A_CHANGE = ("corpus", *(f"training.{name}" for name in NOT_OF_A_RECIPE))


def config_diff(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Lines "- key = value" and "+ key = value" for what differs; where the titles lie and how the machine was set
    are no part of a recipe and are left out."""
    old, new = _flat(before), _flat(after)
    lines = []
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key) and not any(key == k or key.startswith(f"{k}.") for k in _NOT_A_CHANGE):
            lines += [f"- {key} = {old[key]}"] if key in old else []
            lines += [f"+ {key} = {new[key]}"] if key in new else []
    return "\n".join(lines)


def n_changes(before: dict[str, Any], after: dict[str, Any]) -> int:
    """How many settings differ."""
    return len({line[2:].partition(" = ")[0] for line in config_diff(before, after).splitlines()})


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted key -> text; a slot's own line is the kind that fills it."""
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif key != "kind":
            flat[prefix + key] = "none" if value is None else str(value)
        elif prefix:
            flat[prefix[:-1]] = str(value).rpartition(":")[2]
    return flat
