"""The package's recipes, read as text: their list and the ladder's order need no torch."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from pathlib import Path

FILES = ("story", "ladder", "records", "trials", "demo")  # without .py, in the order of the list


@dataclass(frozen=True)
class RecipeInfo:
    """`module` is the file's name without `.py`; `summary` the docstring's first line."""

    name: str
    module: str
    summary: str
    docstring: str


def list_recipes() -> list[RecipeInfo]:
    """Return every recipe in the order of definition, file by file.

    A recipe defined twice is a rung that records.py writes out once more; it is listed as the rung.
    """
    listed: dict[str, RecipeInfo] = {}
    for file in FILES:
        for name, function in _functions(file).items():
            docstring = ast.get_docstring(function) or ""
            listed.setdefault(name, RecipeInfo(name, file, docstring.partition("\n")[0], docstring))
    return list(listed.values())


def chain(name: str) -> list[str]:
    """Return the recipes that lead to `name`, one change each: the first calls no other recipe, `name` is last."""
    functions: dict[str, ast.FunctionDef] = {}
    for file in FILES:
        functions = _functions(file) | functions
    found = [name]
    while (parent := _parent(functions[found[0]], known=set(functions))) is not None:
        found.insert(0, parent)
    return found


@functools.cache
def _functions(file: str) -> dict[str, ast.FunctionDef]:
    """The functions of a file that return an Experiment, by name, in order."""
    source = Path(__file__).with_name(f"{file}.py").read_text(encoding="utf-8")
    return {
        node.name: node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Name) and node.returns.id == "Experiment"
    }


def _parent(function: ast.FunctionDef, known: set[str]) -> str | None:
    """The recipe that a recipe's function calls; None where it is written out."""
    called = [n.func.id for n in ast.walk(function) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    return next((name for name in called if name in known), None)


PUBLIC_BEST = "public_best"  # beside the ladder
LADDER: tuple[str, ...] = ("baseline", "adamw", *_functions("ladder"))  # each recipe is the one before with one change
BEST = LADDER[-1]  # which recipe is the record is measured: recipes.RECORD_RECIPE
