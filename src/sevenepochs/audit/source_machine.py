"""Reads one program: its modules, functions and calls, and what happened on the way. Nothing of it runs.

Only the operations written in source_expressions, source_operators, source_calls and source_methods exist: integers,
slices, joins, losses. Everything else is UNKNOWN and reading goes on. A step budget bounds every read.
"""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from typing import Any

from sevenepochs.audit import source_calls
from sevenepochs.audit import source_operators as operators
from sevenepochs.audit.source_expressions import expression
from sevenepochs.audit.source_scopes import (
    EVALUATOR,
    Class,
    Env,
    Event,
    Function,
    Instance,
    own_nodes,
    training_functions,
)
from sevenepochs.audit.source_statements import Broken, Continued, Returned, block
from sevenepochs.audit.source_tree import SourceTree
from sevenepochs.audit.source_values import TITLE_COUNTS, UNKNOWN, Arguments, Data, ModelOut, Nats, Place

MAX_CALL_DEPTH = 14


class Machine:
    """Reads one program from its entry file."""

    def __init__(self, source: SourceTree, entry: str) -> None:
        self.source, self.entry = source, entry
        self.steps = 0
        self.events: list[Event] = []
        self.calls: list[str] = []
        self.modules: dict[str, Env] = {}
        self.weight: float | None = 1.0
        self.training_depth = 0
        self.mode = "train"
        self.unfollowed: dict[Place, str] = {}  # what the audit could not read, and why
        self.lines_read: set[tuple[str, int]] = set()  # of statements
        self.change_places: dict[tuple[str, frozenset[str]], Place] = {}
        self.models_made: list[float | None] = []
        self.sizes: dict[str, int] = {}
        self.trainers = training_functions(source, source.reachable(entry))

    # --- modules, functions -------------------------------------------------------------------------------------

    def module(self, path: str) -> Env:
        """The names that a file of the folder defines."""
        if path not in self.modules:
            env = self.modules[path] = Env(path)
            env.names["__name__"] = "__main__" if path == self.entry else "module"
            with suppress(Returned, Broken, Continued):  # out of place in a file, yet it parses
                block(self, self.source.files[path].tree.body, env)
        return self.modules[path]

    def note(self, kind: str, place: Place, value: Any = None) -> None:
        """Keep an event with the functions it happened in."""
        if kind in ("eval", "train"):
            self.mode = kind
        self.events.append(Event(kind, place, value, tuple(self.calls), self.weight))

    def changed_at(self, change: str, split: frozenset[str]) -> Place | None:
        """Where titles of this split were first changed so."""
        found = (place for (name, parts), place in self.change_places.items() if name == change and parts >= split)
        return next(found, None)

    def run_function(self, function: Function, args: list[Any], keywords: dict[str, Any]) -> Any:
        """What a call of the program's own function means."""
        if len(self.calls) >= MAX_CALL_DEPTH or self.calls.count(function.name) > 2:
            return UNKNOWN
        node, env = function.node, Env(function.env.path, function.env)
        if function.owner is not None:
            args = [function.owner, *args]
        self._bind(node.args, args, keywords, env)
        if isinstance(node, ast.Lambda):
            return expression(self, node.body, env)
        generator = any(isinstance(child, ast.Yield | ast.YieldFrom) for child in own_nodes(node))
        if generator:
            env.names["<yielded>"] = []
        self.calls.append(function.name)
        value: Any = None
        try:
            block(self, node.body, env)
        except Returned as returned:
            value = returned.value
        except (Broken, Continued):
            pass
        finally:
            self.calls.pop()
        result = env.names["<yielded>"] if generator else value
        if isinstance(result, Nats) and (result.divisor is not None or EVALUATOR.search(function.name)):
            self.note("evaluated", Place(env.path, node.lineno), (function.name, result))
        return result

    def _bind(self, spec: ast.arguments, args: list[Any], keywords: dict[str, Any], env: Env) -> None:
        names = [arg.arg for arg in (*spec.posonlyargs, *spec.args)]
        defaults: dict[str, ast.expr] = dict(zip(names[len(names) - len(spec.defaults) :], spec.defaults, strict=True))
        only = {arg.arg: default for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if default}
        defaults |= only
        for name in (*names, *(arg.arg for arg in spec.kwonlyargs)):
            default = defaults.get(name)
            env.names[name] = expression(self, default, env.parent or env) if default is not None else UNKNOWN
        env.names.update(zip(names, args, strict=False))
        if spec.vararg:
            env.names[spec.vararg.arg] = tuple(args[len(names) :])
        env.names.update({name: value for name, value in keywords.items() if spec.kwarg or name in env.names})
        if spec.kwarg:
            env.names[spec.kwarg.arg] = {name: value for name, value in keywords.items() if name not in names}

    def store(self, target: ast.expr, value: Any, env: Env) -> None:
        """Bind a target, taking tuples apart."""
        if isinstance(target, ast.Name):
            env.names[target.id] = value
            if isinstance(value, int) and target.id.lower() in operators.GEOMETRY:
                self.sizes.setdefault(target.id.lower(), value)
        elif isinstance(target, ast.Attribute):
            owner = expression(self, target.value, env)
            if isinstance(owner, Instance):
                owner.attributes[target.attr] = value
            elif isinstance(owner, Env):
                owner.names[target.attr] = value
            elif isinstance(owner, Arguments):
                owner.values[target.attr] = value
        elif isinstance(target, ast.Subscript):
            owner, key = expression(self, target.value, env), expression(self, target.slice, env)
            if isinstance(owner, dict) and isinstance(key, str | int):
                owner[key] = value
            elif isinstance(owner, Data) and owner.kind == "titles":
                self.store(target.value, operators.with_item(owner, value), env)
        elif isinstance(target, ast.Starred):
            self.store(target.value, UNKNOWN, env)
        elif isinstance(target, ast.Tuple | ast.List):
            parts = operators.unpacked(value, len(target.elts))
            for inner, part in zip(target.elts, parts, strict=True):
                self.store(inner, part, env)

    def iterate(self, value: Any) -> list[Any] | range | None:
        """The values a loop goes through, None when that cannot be told; one index stands for those of all titles."""
        if isinstance(value, range):
            return [UNKNOWN] if len(value) in TITLE_COUNTS else value
        if isinstance(value, list | tuple):
            return list(value)
        if isinstance(value, dict):
            return list(value)
        if isinstance(value, Data):
            return [operators.element(value)]
        if isinstance(value, str) and len(value) <= 200:
            return list(value)
        return None

    # --- calls ------------------------------------------------------------------------------------

    def call(self, function: Any, args: list[Any], keywords: dict[str, Any], place: Place) -> Any:
        """What calling something means."""
        if isinstance(function, Function):
            value = self.run_function(function, args, keywords)
            titles = next(
                (arg for arg in args if isinstance(arg, Data) and arg.kind in ("titles", "title", "text")), None
            )
            if value is UNKNOWN and titles is not None and re.search("title|text|case|clean|norm", function.name):
                return titles.changed(f"rewritten by {function.name}()")
            return value
        if isinstance(function, Class):
            instance = Instance(function)
            if function.is_model:
                self.models_made.append(self.weight)
                return instance
            constructor = function.member("__init__")
            if isinstance(constructor, Function):
                self.run_function(Function(constructor.node, constructor.env, instance), args, keywords)
            else:
                names = [
                    n.target.id
                    for n in function.node.body
                    if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
                ]
                instance.attributes.update(zip(names, args, strict=False))
                instance.attributes.update(keywords)
            return instance
        if isinstance(function, Instance):
            method = function.kind.member("__call__")
            if isinstance(method, Function) and not function.kind.is_model:
                return self.run_function(Function(method.node, method.env, function), args, keywords)
            return self.model_call(args, keywords, place)
        return source_calls.call(self, function, args, keywords, place)

    def model_call(self, args: list[Any], keywords: dict[str, Any], place: Place) -> Any:
        """The model on a batch."""
        ids = [value for value in (*args, *keywords.values()) if isinstance(value, Data) and value.kind == "ids"]
        if ids and self.mode != "eval" and ids[0].split == {"val"}:
            self.note("dropout", place)
        return ModelOut(ids[0], ids[1] if len(ids) > 1 else None, place) if ids else UNKNOWN
