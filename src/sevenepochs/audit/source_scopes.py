"""The names, functions and objects of a program under reading, and what happened while it was read."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Any

from sevenepochs.audit.source_tree import SourceTree
from sevenepochs.audit.source_values import Data, External, Place

EVALUATOR = re.compile(r"eval|valid|(^|_)val(_|$)", re.IGNORECASE)


class OutOfSteps(Exception):
    """The step budget is spent."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


@dataclass(eq=False)
class Env:
    """The names of one scope."""

    path: str
    parent: Env | None = None
    names: dict[str, Any] = field(default_factory=dict)

    def find(self, name: str) -> Any:
        """The value of a name here or further out; None when nobody bound it."""
        scope: Env | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def module(self) -> Env:
        """The outermost scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


@dataclass(eq=False)
class Function:
    """A function of the program."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    env: Env
    owner: Any = None

    @property
    def name(self) -> str:
        """Its name; `lambda` for one without."""
        return getattr(self.node, "name", "lambda")


@dataclass(eq=False)
class Class:
    """A class of the program."""

    node: ast.ClassDef
    env: Env
    members: dict[str, Any] = field(default_factory=dict)
    bases: tuple[Any, ...] = ()

    @property
    def is_model(self) -> bool:
        """A torch module: it has a forward pass."""
        return "forward" in self.members or any(
            (isinstance(base, External) and base.last == "Module") or (isinstance(base, Class) and base.is_model)
            for base in self.bases
        )

    def member(self, name: str) -> Any:
        """A method or default, its own or inherited; None when there is none."""
        if name in self.members:
            return self.members[name]
        found = (base.member(name) for base in self.bases if isinstance(base, Class) and base is not self)
        return next((value for value in found if value is not None), None)


@dataclass(eq=False)
class Instance:
    """An object of a program's class."""

    kind: Class
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something that happened while reading: eval, train, backward, step, report, call, learn."""

    kind: str
    place: Place
    value: Any = None
    inside: tuple[str, ...] = ()
    weight: float | None = 1.0


def own_nodes(node: ast.AST) -> list[ast.AST]:
    """The nodes below, those of nested functions and classes left out."""
    found: list[ast.AST] = []
    queue = list(ast.iter_child_nodes(node))
    while queue:
        child = queue.pop()
        found.append(child)
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            queue.extend(ast.iter_child_nodes(child))
    return found


def training_functions(source: SourceTree, paths: list[str]) -> frozenset[str]:
    """The names of functions that train: they call backward, or a function that does."""
    functions = [
        node
        for path in paths
        for node in ast.walk(source.files[path].tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    bodies = [(function.name, own_nodes(function)) for function in functions]
    names: frozenset[str] = frozenset()
    for _ in range(8):
        found = {name for name, body in bodies if any(is_training_call(child, names) for child in body)}
        if found <= names:
            break
        names |= found
    return names - {"forward", "__init__"}


def is_training_call(node: ast.AST, trainers: frozenset[str]) -> bool:
    return isinstance(node, ast.Call) and (last_name(node.func) == "backward" or last_name(node.func) in trainers)


def mentions_evaluation(body: list[ast.stmt]) -> bool:
    calls = (child for statement in body for child in (statement, *own_nodes(statement)) if isinstance(child, ast.Call))
    return any(EVALUATOR.search(last_name(call.func)) for call in calls)


def last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def truth_of(value: Any) -> bool | None:
    """Whether a condition holds; None when that cannot be told."""
    if isinstance(value, bool | int | float | str | list | tuple | dict) or value is None:
        return bool(value)
    if isinstance(value, Data | Instance | Function | Class):
        return True
    return None
