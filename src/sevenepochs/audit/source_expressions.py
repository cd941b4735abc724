"""What each kind of expression means to the audit; `expression` is the way in."""

from __future__ import annotations

import ast
import builtins
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sevenepochs.audit import source_operators as operators
from sevenepochs.audit.source_scopes import Class, Env, Function, Instance, OutOfSteps, last_name, truth_of
from sevenepochs.audit.source_values import (
    UNKNOWN,
    Arguments,
    Bound,
    Data,
    External,
    Logits,
    ModelOut,
    Nats,
    Place,
    columns_of,
)

if TYPE_CHECKING:
    from sevenepochs.audit.source_machine import Machine

MAX_STEPS = 400_000
MAX_ITERATIONS = 20_000

COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip


def expression(machine: Machine, node: ast.expr, env: Env) -> Any:
    """What an expression means."""
    machine.steps += 1
    if machine.steps > MAX_STEPS:
        raise OutOfSteps(Place(env.path, node.lineno))
    handler = _HANDLERS.get(type(node))
    value = UNKNOWN if handler is None else handler(machine, node, env)
    if isinstance(value, Data) and value.changes:
        for change in value.changes:  # inner expressions come first, so the first place is where it happened
            machine.change_places.setdefault((change, value.split), Place(env.path, node.lineno))
    return value


def see_constant(machine: Machine, node: ast.Constant, env: Env) -> Any:
    return node.value


def see_name(machine: Machine, node: ast.Name, env: Env) -> Any:
    value = env.find(node.id)
    if value is None and not any(node.id in scope.names for scope in (env, env.module())):
        value = External(node.id) if hasattr(builtins, node.id) else UNKNOWN
    return named(machine, node.id, value)


def named(machine: Machine, name: str, value: Any) -> Any:
    """An unknown value whose name says what it is."""
    return operators.by_name(name, machine.sizes) if value is UNKNOWN else value


def see_attribute(machine: Machine, node: ast.Attribute, env: Env) -> Any:
    owner = expression(machine, node.value, env)
    name = node.attr
    if isinstance(owner, Instance):
        if name in owner.attributes:
            return named(machine, name, owner.attributes[name])
        member = owner.kind.member(name)
        if isinstance(member, Function):
            decorators = {last_name(decorator) for decorator in member.node.decorator_list}  # type: ignore[union-attr]
            method = Function(member.node, member.env, None if "staticmethod" in decorators else owner)
            return machine.run_function(method, [], {}) if decorators & {"property", "cached_property"} else method
        if member is not None:
            return named(machine, name, member)
        return Bound(owner, name) if owner.kind.is_model else named(machine, name, UNKNOWN)
    if isinstance(owner, Env):
        return owner.names.get(name, UNKNOWN)
    if isinstance(owner, Arguments) and name in owner.values:
        return named(machine, name, owner.values[name])
    if isinstance(owner, Class):
        member = owner.member(name)
        return UNKNOWN if member is None else member
    if isinstance(owner, External):
        return External(f"{owner.name}.{name}")
    if owner is UNKNOWN:
        meant = named(machine, name, UNKNOWN)
        return Bound(UNKNOWN, name) if meant is UNKNOWN else meant
    return operators.attribute(owner, name)


def see_namedexpr(machine: Machine, node: ast.NamedExpr, env: Env) -> Any:
    value = expression(machine, node.value, env)
    machine.store(node.target, value, env)
    return value


def see_tuple(machine: Machine, node: ast.Tuple, env: Env) -> Any:
    return tuple(expression(machine, item, env) for item in node.elts)


def see_list(machine: Machine, node: ast.List, env: Env) -> Any:
    return [expression(machine, item, env) for item in node.elts]


def see_set(machine: Machine, node: ast.Set, env: Env) -> Any:
    return [expression(machine, item, env) for item in node.elts]


def see_starred(machine: Machine, node: ast.Starred, env: Env) -> Any:
    return expression(machine, node.value, env)


def see_dict(machine: Machine, node: ast.Dict, env: Env) -> Any:
    pairs = (
        (key and expression(machine, key, env), expression(machine, item, env))
        for key, item in zip(node.keys, node.values, strict=True)
    )
    return {key: value for key, value in pairs if isinstance(key, str | int)}


def see_await(machine: Machine, node: ast.Await, env: Env) -> Any:
    return expression(machine, node.value, env)


def see_joinedstr(machine: Machine, node: ast.JoinedStr, env: Env) -> Any:
    parts = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
    value: Any = ""
    for part in parts:
        piece = expression(machine, part, env)
        if isinstance(value, str) and isinstance(piece, int | float):
            piece = str(piece)
        value = operators.add(value, piece)
    return value


def see_yield(machine: Machine, node: ast.Yield, env: Env) -> Any:
    value = expression(machine, node.value, env) if node.value else None
    yielded = env.find("<yielded>")
    if isinstance(yielded, list):
        yielded.append(value)
    return UNKNOWN


def see_yieldfrom(machine: Machine, node: ast.YieldFrom, env: Env) -> Any:
    yielded, values = env.find("<yielded>"), machine.iterate(expression(machine, node.value, env))
    if isinstance(yielded, list) and values is not None:
        yielded.extend(values)
    return UNKNOWN


def see_lambda(machine: Machine, node: ast.Lambda, env: Env) -> Any:
    return Function(node, env)


def see_ifexp(machine: Machine, node: ast.IfExp, env: Env) -> Any:
    truth = truth_of(expression(machine, node.test, env))
    if truth is not None:
        return expression(machine, node.body if truth else node.orelse, env)
    first, second = expression(machine, node.body, env), expression(machine, node.orelse, env)
    return first if second is UNKNOWN or second is None or second == 0.0 else second if first is UNKNOWN else first


def see_boolop(machine: Machine, node: ast.BoolOp, env: Env) -> Any:
    value: Any = UNKNOWN
    for item in node.values:
        value = expression(machine, item, env)
        truth = truth_of(value)
        if truth is None or truth is isinstance(node.op, ast.Or):
            return value if truth is not None or isinstance(value, Data | Nats) else UNKNOWN
    return value


def see_unaryop(machine: Machine, node: ast.UnaryOp, env: Env) -> Any:
    value = expression(machine, node.operand, env)
    if isinstance(node.op, ast.Not):
        truth = truth_of(value)
        return UNKNOWN if truth is None else not truth
    if isinstance(node.op, ast.USub):
        if isinstance(value, Nats):
            return value.scaled(-1)
        return -value if isinstance(value, int | float) else UNKNOWN
    return value if isinstance(node.op, ast.UAdd) else UNKNOWN


def see_compare(machine: Machine, node: ast.Compare, env: Env) -> Any:
    left = expression(machine, node.left, env)
    for op, right_node in zip(node.ops, node.comparators, strict=True):
        right = expression(machine, right_node, env)
        if isinstance(op, ast.Is | ast.IsNot) and right is None:
            result: Any = UNKNOWN if left is UNKNOWN else (left is None) is isinstance(op, ast.Is)
        elif type(op) in COMPARISONS and all(isinstance(side, int | float | str) for side in (left, right)):
            try:
                result = COMPARISONS[type(op)](left, right)
            except TypeError:
                return UNKNOWN
        else:
            return UNKNOWN
        if result is not True:
            return result
        left = right
    return True


def see_binop(machine: Machine, node: ast.BinOp, env: Env) -> Any:
    left, right = expression(machine, node.left, env), expression(machine, node.right, env)
    return operators.binary(left, node.op, right, Place(env.path, node.lineno))


def see_subscript(machine: Machine, node: ast.Subscript, env: Env) -> Any:
    owner = expression(machine, node.value, env)
    place = Place(env.path, node.lineno)
    index = node.slice
    if isinstance(index, ast.Slice):
        parts = (index.lower, index.upper, index.step)
        lower, upper, step = (expression(machine, part, env) if part else None for part in parts)
        return operators.sliced(owner, lower, upper, step, place)
    if isinstance(index, ast.Tuple) and isinstance(owner, Data) and owner.shape and len(index.elts) == 2:
        rows, columns = index.elts
        whole = isinstance(rows, ast.Slice) and rows.lower is None and rows.upper is None
        if whole and isinstance(columns, ast.Slice) and columns.step is None:
            first, last = (expression(machine, part, env) if part else None for part in (columns.lower, columns.upper))
            return columns_of(owner, first, last, place)
        return UNKNOWN
    if isinstance(index, ast.Tuple) and isinstance(owner, Logits | ModelOut):
        return operators.as_logits(owner, "cut")
    return operators.item(owner, expression(machine, index, env), place)


def see_listcomp(machine: Machine, node: ast.ListComp | ast.GeneratorExp | ast.SetComp, env: Env) -> Any:
    inner = Env(env.path, env, {})
    result: list[Any] = []
    whole = _comprehend(machine, node.generators, node.elt, inner, result)
    if whole is not None and result and isinstance(result[0], Data) and result[0].kind == "title":
        titles = operators.collected(result[0])
        return titles.changed("de-duplicated") if isinstance(node, ast.SetComp) else titles
    return whole.changed("filtered") if isinstance(whole, Data) and not result else result


def _comprehend(
    machine: Machine, loops: list[ast.comprehension], elt: ast.expr, env: Env, result: list[Any]
) -> Data | None:
    if not loops:
        result.append(expression(machine, elt, env))
        return None
    loop = loops[0]
    source = expression(machine, loop.iter, env)
    values = machine.iterate(source)
    whole: Data | None = source if isinstance(source, Data) and source.kind in ("rows", "titles") else None
    for value in [UNKNOWN] if values is None else values[:MAX_ITERATIONS]:
        filtered = bool(loop.ifs) and isinstance(value, Data)
        kept = value.changed("filtered") if loop.ifs and isinstance(value, Data) else value
        machine.store(loop.target, kept, env)
        tests = [truth_of(expression(machine, test, env)) for test in loop.ifs]
        if False in tests and not filtered:
            continue
        inner = _comprehend(machine, loops[1:], elt, env, result)
        whole = whole or inner
    return whole


def see_call(machine: Machine, node: ast.Call, env: Env) -> Any:
    place = Place(env.path, node.lineno)
    function = expression(machine, node.func, env)
    args: list[Any] = []
    for arg in node.args:
        value = expression(machine, arg, env)
        args += list(value) if isinstance(arg, ast.Starred) and isinstance(value, list | tuple) else [value]
    keywords = {word.arg: expression(machine, word.value, env) for word in node.keywords if word.arg}
    for word in node.keywords:
        spread = expression(machine, word.value, env) if word.arg is None else None
        if isinstance(spread, dict):
            keywords |= {key: value for key, value in spread.items() if isinstance(key, str)}
    if {"loss", "val_loss"} & keywords.keys() and any(isinstance(arg, str) and "valid" in arg for arg in args[:3]):
        machine.note("report", place, keywords.get("loss", keywords.get("val_loss")))
    return machine.call(function, args, keywords, place)


_HANDLERS: dict[type, Callable[[Machine, Any, Env], Any]] = {
    ast.Constant: see_constant,
    ast.Name: see_name,
    ast.Attribute: see_attribute,
    ast.NamedExpr: see_namedexpr,
    ast.Tuple: see_tuple,
    ast.List: see_list,
    ast.Set: see_set,
    ast.Starred: see_starred,
    ast.Dict: see_dict,
    ast.Await: see_await,
    ast.JoinedStr: see_joinedstr,
    ast.Yield: see_yield,
    ast.YieldFrom: see_yieldfrom,
    ast.Lambda: see_lambda,
    ast.IfExp: see_ifexp,
    ast.BoolOp: see_boolop,
    ast.UnaryOp: see_unaryop,
    ast.Compare: see_compare,
    ast.BinOp: see_binop,
    ast.Subscript: see_subscript,
    ast.ListComp: see_listcomp,
    ast.Call: see_call,
    ast.GeneratorExp: see_listcomp,
    ast.SetComp: see_listcomp,
}
