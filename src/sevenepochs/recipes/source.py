"""An Experiment written as the Python that makes it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sevenepochs.config import Config
from sevenepochs.experiment import Experiment

_COLUMNS = 120
_INDENT = 4

Names = dict[type[Config], str]


def as_python(experiment: Experiment, name: str) -> str:
    """Return a Python file with one function, `name`, that returns an equal Experiment.

    Every slot is written out: with the changed fields of the class that stock has there, or all fields of another one.
    """
    names = _names(experiment)
    imports = _imports(names)
    start = " " * _INDENT + "return "
    code = _code(experiment, Experiment(), names, column=len(start), indent=_INDENT)
    return "\n".join(imports) + f"\n\n\ndef {name}() -> Experiment:\n{start}{code}\n"


def _code(value: Any, stock: Any, names: Names, column: int, indent: int) -> str:
    """The value's expression, beginning at `column` of a line indented by `indent`; broken as ruff breaks it."""
    flat = _flat(value, stock, names)
    if not isinstance(value, Experiment) and column + len(flat + ",") <= _COLUMNS:
        return flat
    inner = indent + _INDENT
    lines = [
        f"{' ' * inner}{key}={_code(part, part_of_stock, names, inner + len(key) + 1, inner)},\n"
        for key, part, part_of_stock in _written(value, stock)
    ]
    return f"{names[type(value)]}(\n{''.join(lines)}{' ' * indent})"


def _flat(value: Any, stock: Any, names: Names) -> str:
    """The value's expression in one line."""
    if isinstance(value, Config):
        arguments = (f"{key}={_flat(part, of_stock, names)}" for key, part, of_stock in _written(value, stock))
        return f"{names[type(value)]}({', '.join(arguments)})"
    if isinstance(value, tuple):
        return f"({', '.join(_flat(one, None, names) for one in value)}{',' * (len(value) == 1)})"
    text = f"{value:_}" if type(value) in (int, float) else repr(value)
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text


def _written(value: Any, stock: Any) -> Iterator[tuple[str, Any, Any]]:
    """(name, value, stock value) of the fields to write; the stock value is None where stock has another class."""
    same_class = type(value) is type(stock)
    for field in dataclasses.fields(value):
        part, of_stock = getattr(value, field.name), getattr(stock, field.name) if same_class else None
        is_setting = field.compare
        if is_setting and (not same_class or isinstance(value, Experiment) or part != of_stock):
            yield field.name, part, of_stock


def _names(experiment: Experiment) -> Names:
    """The classes to import, each under a different name."""
    names: Names = {}
    waiting: list[tuple[Any, Any]] = [(experiment, Experiment())]
    while waiting:
        value, stock = waiting.pop()
        if isinstance(value, Config):
            name = type(value).__qualname__
            taken = {called for cls, called in names.items() if cls is not type(value)}
            while name in taken:
                name += "_"
            names[type(value)] = name
            waiting += [(part, of_stock) for _, part, of_stock in _written(value, stock)]
    return names


def _imports(names: Names) -> list[str]:
    """The import lines, one per module, sorted; a class from a user's file is loaded from that file."""
    of_module: dict[str, list[str]] = {}
    loaded = []
    for cls, called in names.items():
        module, name = cls.__module__, cls.__qualname__
        file = getattr(sys.modules[module], "__file__", None)
        if file is not None and Path(file).stem not in (module.rpartition(".")[2], "__init__"):  # a file of the user's
            loaded.append(f"{called} = import_file(Path({str(file)!r})).{name}")
        else:
            of_module.setdefault(module, []).append(name + (f" as {called}" if called != name else ""))
    if loaded:
        of_module["sevenepochs.recipes.catalog"] = ["import_file"]
    lines = [f"from {module} import {', '.join(sorted(of_module[module]))}" for module in sorted(of_module)]
    return [*(["from pathlib import Path\n"] if loaded else []), *lines, *sorted(loaded)]
