"""What each kind of statement does to the names; `block` is the way in. Training loops are read once and weighed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sevenepochs.audit import source_operators as operators
from sevenepochs.audit.source_expressions import MAX_ITERATIONS, MAX_STEPS, expression
from sevenepochs.audit.source_scopes import (
    EVALUATOR,
    Class,
    Env,
    Function,
    OutOfSteps,
    is_training_call,
    mentions_evaluation,
    own_nodes,
    truth_of,
)
from sevenepochs.audit.source_values import UNKNOWN, Data, External, Logits, ModelOut, Nats, Place

if TYPE_CHECKING:
    from sevenepochs.audit.source_machine import Machine


class Returned(Exception):
    """A return statement was read."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Broken(Exception):
    """A break statement was read."""


class Continued(Exception):
    """A continue statement was read."""


def block(machine: Machine, body: list[ast.stmt], env: Env) -> None:
    """Read statements in order; one that cannot be followed is left behind."""
    for statement in body:
        place = Place(env.path, statement.lineno)
        machine.steps += 1
        if machine.steps > MAX_STEPS:
            raise OutOfSteps(place)
        machine.lines_read.add((env.path, statement.lineno))
        handler = _HANDLERS.get(type(statement))
        if handler is None:  # pass, raise, assert, del and declarations change nothing that is followed
            continue
        try:
            handler(machine, statement, env)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            machine.unfollowed[place] = f"reading it failed ({type(error).__name__})"


def do_expr(machine: Machine, node: ast.Expr, env: Env) -> None:
    expression(machine, node.value, env)


def do_return(machine: Machine, node: ast.Return, env: Env) -> None:
    raise Returned(expression(machine, node.value, env) if node.value else None)


def do_break(machine: Machine, node: ast.Break, env: Env) -> None:
    raise Broken


def do_continue(machine: Machine, node: ast.Continue, env: Env) -> None:
    raise Continued


def do_functiondef(machine: Machine, node: ast.FunctionDef, env: Env) -> None:
    env.names[node.name] = Function(node, env)


def do_classdef(machine: Machine, node: ast.ClassDef, env: Env) -> None:
    inner = Env(env.path, env)
    kind = Class(node, env, inner.names, tuple(expression(machine, base, env) for base in node.bases))
    env.names[node.name] = kind
    block(machine, node.body, inner)


def do_import(machine: Machine, node: ast.Import, env: Env) -> None:
    for alias in node.names:
        path = machine.source.module_path(env.path, alias.name)
        first = alias.name.split(".")[0]
        if path and alias.asname:
            env.names[alias.asname] = machine.module(path)
        elif path:
            env.names[first] = machine.module(path) if "." not in alias.name else External(first)
        else:
            env.names[alias.asname or first] = External(alias.name if alias.asname else first)


def do_importfrom(machine: Machine, node: ast.ImportFrom, env: Env) -> None:
    base = node.module or ""
    path = machine.source.module_path(env.path, base, node.level) if base or node.level else None
    for alias in node.names:
        name = alias.asname or alias.name
        if alias.name == "*" and path:
            env.names.update(machine.module(path).names)
            continue
        inner = machine.source.module_path(env.path, f"{base}.{alias.name}", node.level)
        found = machine.module(path).names.get(alias.name) if path else None
        if found is None:
            found = machine.module(inner) if inner and inner != env.path else External(f"{base}.{alias.name}")
        env.names[name] = found


def do_assign(machine: Machine, node: ast.Assign, env: Env) -> None:
    value = expression(machine, node.value, env)
    for target in node.targets:
        machine.store(target, value, env)


def do_annassign(machine: Machine, node: ast.AnnAssign, env: Env) -> None:
    if node.value is not None:
        machine.store(node.target, expression(machine, node.value, env), env)
    elif isinstance(node.target, ast.Name):
        env.names.setdefault(node.target.id, UNKNOWN)


def do_augassign(machine: Machine, node: ast.AugAssign, env: Env) -> None:
    left = expression(machine, node.target, env)
    machine.store(
        node.target,
        operators.binary(left, node.op, expression(machine, node.value, env), Place(env.path, node.lineno)),
        env,
    )


def do_with(machine: Machine, node: ast.With, env: Env) -> None:
    for item in node.items:
        value = expression(machine, item.context_expr, env)
        if item.optional_vars is not None:
            machine.store(item.optional_vars, value, env)
    block(machine, node.body, env)


def do_try(machine: Machine, node: ast.Try | ast.TryStar, env: Env) -> None:
    block(machine, [*node.body, *node.orelse, *node.finalbody], env)


def do_if(machine: Machine, node: ast.If, env: Env) -> None:
    truth = truth_of(expression(machine, node.test, env))
    in_evaluator = any(EVALUATOR.search(name) for name in machine.calls)
    if truth is False and machine.training_depth and not in_evaluator and mentions_evaluation(node.body):
        truth = True  # the loop is read once; evaluation may come at a later step
    if truth is not None:
        block(machine, node.body if truth else node.orelse, env)
        return
    if any(isinstance(child, ast.Break | ast.Continue | ast.Return) for child in own_nodes(node)):
        machine.note("maybe", Place(env.path, node.lineno))
        _either(machine, node.body, env)
        _either(machine, node.orelse, env)
        return
    block(machine, node.body, env)
    best = isinstance(node.test, ast.Compare) and isinstance(expression(machine, node.test.left, env), Nats)
    known = {name: value for name, value in env.names.items() if value is not UNKNOWN}
    if best:
        for child in node.body:
            targets = child.targets if isinstance(child, ast.Assign) else []
            for target in targets:
                if isinstance(target, ast.Name) and isinstance(value := env.names.get(target.id), Nats):
                    env.names[target.id] = value.changed("best of several")
    block(machine, node.orelse, env)
    for name, value in known.items():
        if env.names.get(name) is UNKNOWN:
            env.names[name] = value


def do_match(machine: Machine, node: ast.Match, env: Env) -> None:
    """Every case is read, as under a condition that is not known."""
    machine.note("maybe", Place(env.path, node.lineno))
    for case in node.cases:
        _either(machine, case.body, env)


def _either(machine: Machine, body: list[ast.stmt], env: Env) -> None:
    try:
        block(machine, body, env)
    except (Broken, Continued):
        pass
    except Returned as returned:
        if isinstance(returned.value, Nats | Data | ModelOut | Logits):
            raise


def do_while(machine: Machine, node: ast.While, env: Env) -> None:
    if _trains(machine, node):
        count: float | None = None
        if isinstance(node.test, ast.Compare) and isinstance(node.test.ops[0], ast.Lt | ast.LtE):
            low, high = (expression(machine, side, env) for side in (node.test.left, node.test.comparators[0]))
            count = max(0, high - low) if isinstance(low, int) and isinstance(high, int) else None
        _train_once(machine, node.body, env, count)
        return
    for _ in range(MAX_ITERATIONS):
        truth = truth_of(expression(machine, node.test, env))
        if truth is False:
            break
        try:
            block(machine, node.body, env)
        except Continued:
            pass
        except Broken:
            return
        if truth is None:
            return
    block(machine, node.orelse, env)


def do_for(machine: Machine, node: ast.For, env: Env) -> None:
    looped = expression(machine, node.iter, env)
    values = machine.iterate(looped)
    count = len(looped) if isinstance(looped, range) else len(values) if values is not None else None
    if values is None:
        values = [UNKNOWN]
    if _trains(machine, node):
        machine.store(node.target, values[0] if count else UNKNOWN, env)
        _train_once(machine, node.body, env, count)
        return
    for value in values[:MAX_ITERATIONS]:
        machine.store(node.target, value, env)
        try:
            block(machine, node.body, env)
        except Continued:
            continue
        except Broken:
            return
    block(machine, node.orelse, env)


def _trains(machine: Machine, node: ast.For | ast.While) -> bool:
    return any(is_training_call(child, machine.trainers) for child in own_nodes(node))


def _train_once(machine: Machine, body: list[ast.stmt], env: Env, count: float | None) -> None:
    outer = machine.weight
    machine.weight = None if outer is None or count is None else outer * count
    machine.training_depth += 1
    try:
        block(machine, body, env)
    except (Broken, Continued):
        pass
    finally:
        machine.weight = outer
        machine.training_depth -= 1


_HANDLERS: dict[type, Callable[[Machine, Any, Env], None]] = {
    ast.Expr: do_expr,
    ast.Return: do_return,
    ast.Break: do_break,
    ast.Continue: do_continue,
    ast.FunctionDef: do_functiondef,
    ast.ClassDef: do_classdef,
    ast.Import: do_import,
    ast.ImportFrom: do_importfrom,
    ast.Assign: do_assign,
    ast.AnnAssign: do_annassign,
    ast.AugAssign: do_augassign,
    ast.With: do_with,
    ast.Try: do_try,
    ast.TryStar: do_try,
    ast.Match: do_match,
    ast.If: do_if,
    ast.While: do_while,
    ast.For: do_for,
    ast.AsyncFunctionDef: do_functiondef,
    ast.AsyncWith: do_with,
    ast.AsyncFor: do_for,
}
